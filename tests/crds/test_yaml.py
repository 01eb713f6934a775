"""YAML is read as kubectl reads it: every value the same, by its own library."""

import json
import random
from typing import Any

import pytest

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
