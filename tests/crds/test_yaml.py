"""YAML is read as kubectl reads it: every value the same, by its own library."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.crds.checker import as_kubectl_reads
from trainjobs.api.yaml_documents import YamlProblem, documents

TEXTS = [
    *(
        "a: 1e-5",
        "a: 1E5",
        "a: 1e+5",
        "a: 5e-5",
        "a: .5",
        "a: 5.",
        "a: -1.5e3",
        "a: +7",
        "a: 2.0",
        "a: 1e21",
    ),
    *("a: 017", "a: 0o17", "a: 0x1F", "a: -0x1F", "a: 0b101", "a: 08", "a: 1_000", "a: 0", "a: -0", "a: 00"),
    *("a: yes", "a: No", "a: on", "a: y", "a: N", "a: TRUE", "a: tRUE", "a: ~", "a: null", "a:", "a: Null"),
    *("a: .nan", "a: .inf", "a: -.INF", "a: 2001-01-01", "a: 2001-01-01T10:00:00Z", "a: 12:30:45", "a: 1:2"),
    *(
        "a: 9223372036854775807",
        "a: 9223372036854775808",
        "a: 18446744073709551616",
        "a: '1'",
        'a: "yes"',
        "a: !!str 1",
    ),
    *(
        "a: !!int 3",
        "a: !!float 3",
        "a: !!bool yes",
        "a: [1, two, 3.5]",
        "a: {b: {c: d}}",
        "a: |\n  x\n  y\n",
    ),
    *(
        "1: a",
        "true: a",
        "yes: a",
        "1.5: a",
        "0x10: a",
        "~: a",
        "? [a]\n: b",
    ),
    *(
        "x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3",
        "x: &x [1]\ny: *x",
        "x: *y",
        "a: 'it''s'",
        "a: >-\n  x\n  y",
        "a: b: c",
    ),
    *(
        "a: -",
        "a: +",
        "a: .",
        "a: ..",
        "a: 1.2.3",
        "a: 0.0.1",
        "a: 1e",
        "a: e5",
        "a: 0x",
        "a: 0b2",
        "a: =",
        "a: -.5",
        "a: _1",
    ),
]


# To make a batch smaller would ask again and again.
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
MERGES = [
    *(f"x: &x {{a: 1}}\ny: &y [*x]\nz: {{{body}}}" for body in (
        "<<: 5", "<<: ", "<<: *x", "<<: *y", "<<: [*x]", "<<: [*y]", "<<: [5]", "<<: {b: 2}", "'<<': 5",
        "<<: *x, a: 2", "<<: *x, <<: {a: 3}", "<<: {a: 3}, <<: *x", "<<: [{a: 4}, *x]", "!!merge <<: *x",
        "<<: {<<: *x, b: 1}, c: 3", "<<: null", "<<: []", "? <<\n: *x",
    )),
]  # fmt: skip
TEXTS += MERGES


def _ours(text: str) -> Any:
    try:
        read = list(documents(text))
    except YamlProblem:
        return "refused"
    if any(document.problems for document in read):
        return "refused"
    return json.dumps(read[0].value, sort_keys=True) if read else "null"


def _theirs(answer: str | None) -> Any:
    return "refused" if answer is None else json.dumps(json.loads(answer, parse_int=_whole), sort_keys=True)


def _whole(digits: str) -> int | float:
    # Go prints a large double without an exponent.
    return int(digits) if abs(int(digits)) < 2**64 and len(digits) < 20 else float(digits)


@pytest.fixture(scope="module")
def answers() -> dict[str, str | None]:
    return dict(zip(TEXTS, as_kubectl_reads(TEXTS), strict=True))


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_is_read_as_kubectl_reads_it(text: str, answers: dict[str, str | None]):
    assert _ours(text) == _theirs(answers[text])


def test_whatever_a_scalar_looks_like():
    chance = random.Random(17)
    scalars = [
        "".join(chance.choices("0123456789+-._eExXobnyYNTtruefals~: ", k=chance.randint(1, 6)))
        for _ in range(20_000)
    ]
    texts = [f"a: {scalar}" for scalar in scalars]
    differing = [
        (text, _ours(text), _theirs(answer))
        for text, answer in zip(texts, as_kubectl_reads(texts), strict=True)
        if _ours(text) != _theirs(answer)
    ]
    assert differing == []


_KEYS = st.sampled_from(["a", "b", "c", "1", "yes", "'<<'"])
_SCALARS = st.sampled_from(
    ["1", "1e3", "text", "null", "", "'1'", "0x1F", "*x", "*y", "&x 7", "&y {a: 1}", "[*x, {}]"]
)


def _mappings(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    entries = st.tuples(st.one_of(_KEYS, st.just("<<")), values).map(lambda pair: f"{pair[0]}: {pair[1]}")
    return st.lists(entries, max_size=4).map(lambda inner: f"{{{', '.join(inner)}}}")


_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        _mappings(inner), st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    ),
    max_leaves=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=UNSHRUNK)
@given(st.lists(_mappings(_VALUES), min_size=100, max_size=150))
def test_anchors_merges_and_keys_are_read_alike_or_refused(mappings: list[str]):
    texts = [f"x: &x {{a: 1, b: {{c: 2}}}}\ny: &y [1]\nz: {one}" for one in mappings]
    differing = []
    for text, answer in zip(texts, as_kubectl_reads(texts), strict=True):
        ours, theirs = _ours(text), _theirs(answer)
        # Of two equal keys kubectl takes the last without a word, which nobody means.
        if ours != theirs and not (ours == "refused" and _stands_twice(text)):
            differing.append((text, ours, theirs))
    assert differing == []


def _stands_twice(text: str) -> bool:
    (document,) = documents(text)
    return all("stands twice" in words or "put << first" in words for _, _, words in document.problems)
