"""Whatever stands at a field, both sides accept it or both refuse it."""

import itertools
import json
import random
from typing import Any

import pytest

from tests.crds.checker import Case, ask
from tests.crds.test_refusals import DOCUMENTS
from trainjobs.api import crd
from trainjobs.api.manifest import check
from trainjobs.api.runs import BY_KIND

VALUES: list[Any] = [
    *(
        0,
        1,
        2,
        -1,
        64,
        65,
        1.5,
        0.5,
        1e-9,
        1e12,
        10**10,
        2**40,
        True,
        False,
        None,
        [],
        {},
        [1],
        [{}],
        {"a": 1},
    ),
    *("", "x", "a b", "1", "Auto", "None", "DDP", "16Gi", "x" * 20_000, "名前", "a\nb", "-", "1e-5", "true"),
    *(
        "s3://bucket/a",
        "s3://Bucket/a",
        "file:///a",
        "file://./a",
        "file://./../a",
        "file:///a\n#b?c%41",
        f"file:///{'x' * 4096}",
        "file://a",
        "pvc://c/x",
        "hf://a/b",
        "https://h",
    ),
    *("s3://bucket/../a", "hf://", "configMap://a/b", "s3://bucket/a\n", "ftp://a"),
]


def _paths(kind: str) -> list[tuple[str | int, ...]]:
    fields = [path for path, _ in crd.walk(crd.schema(BY_KIND[kind])) if path.startswith("spec.")]
    return [
        tuple(0 if part == "" else part for part in path.replace("[]", ".").split(".")) for path in fields
    ]


def _with(body: Any, path: tuple[str | int, ...], value: Any) -> bool:
    """Set `path` in `body`, making what is missing on the way; False where a list has no such item."""
    for step, following in itertools.pairwise(path):
        if isinstance(step, int):
            if not isinstance(body, list) or len(body) <= step:
                return False
        elif body.get(step) is None:
            body[step] = [{}] if isinstance(following, int) else {}
        body = body[step]
    if isinstance(path[-1], int) and not isinstance(body, list):
        return False
    if isinstance(body, list):
        body[:] = [value]
    else:
        body[path[-1]] = value
    return True


def _mutants(count: int) -> list[tuple[str, dict[str, Any]]]:
    chance = random.Random(29)
    made: list[tuple[str, dict[str, Any]]] = []
    while len(made) < count:
        body = json.loads(json.dumps(chance.choice(list(DOCUMENTS.values())).value))
        path, value = chance.choice(_PATHS[body["kind"]]), chance.choice(VALUES)
        if _with(body, path, value):
            made.append((f"{body['kind']} {'.'.join(map(str, path))} = {value!r:.60}", body))
    return made


_PATHS = {kind: _paths(kind) for kind in BY_KIND}


@pytest.mark.parametrize("count", [3000])
def test_both_sides_agree_on_mutated_manifests(count: int):
    mutants = _mutants(count)
    verdicts = ask([Case(body) for _, body in mutants]).verdicts
    differing = []
    for (name, body), verdict in zip(mutants, verdicts, strict=True):
        faults = check(json.dumps(body), "m").faults
        if bool(faults) != verdict.refused:
            differing.append((name, [str(fault) for fault in faults], verdict.errors, verdict.unknown))
    assert differing == []
    refused = sum(verdict.refused for verdict in verdicts)
    assert count * 0.3 < refused < count * 0.95
