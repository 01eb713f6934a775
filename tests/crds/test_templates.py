"""Pod templates of all kinds: what Kubernetes' types cannot decode of a job is refused before it is sent."""

import random
import re
from contextlib import suppress
from typing import Any

from tests.crds.podchecker import judge
from tests.unit.core.plan.builders import a_plan, a_run
from trainjobs.core.plan.decoding import undecodable
from trainjobs.core.plan.pod_types import TYPES
from trainjobs.core.plan.render import rendering
from trainjobs.errors import InvalidRecipe

VALUES: list[Any] = [
    0,
    1,
    -1,
    1.5,
    True,
    None,
    "",
    "x",
    "1",
    "16K",
    "500k",
    "1.2.3",
    "1e3",
    [],
    {},
    ["x"],
    [1],
    [{}],
]
VALUES += [{"x": value} for value in (1, "y", "16Gi", 2.5)] + [
    {"strange": 1},
    [{"name": "x", "strange": "y"}],
]
KEYS = {"name": "pytorch", "mountPath": "/x", "containerPort": 1, "ip": "::1", "topologyKey": "zone"}


def filled(type_: str, chance: random.Random, depth: int = 0) -> Any:
    """What may stand where this type is asked for, now and then something else."""
    if depth > 7 or chance.random() < 0.12:
        return chance.choice(VALUES)
    if inner := re.fullmatch(r"List\[(.*)\]", type_):
        return [filled(inner[1], chance, depth + 1) for _ in range(chance.choice((1, 1, 2)))]
    if inner := re.fullmatch(r"Dict\[str, (.*)\]", type_):
        return {"x": filled(inner[1], chance, depth + 1)}
    if type_ in TYPES:
        chosen = chance.sample(sorted(TYPES[type_]), min(len(TYPES[type_]), chance.randint(1, 2)))
        made = {name: filled(TYPES[type_][name], chance, depth + 1) for name in chosen}
        return {name: value for name, value in KEYS.items() if name in TYPES[type_] and depth} | made
    return {"int": 1, "bool": True, "Quantity": "500k"}.get(type_, "x")


def newer(refusal: str) -> bool:
    """Whether this is a field that our types know from a Kubernetes newer than the judge's."""
    field = re.fullmatch(r'unknown field ".*\.(\w+)"', refusal)
    return field is not None and any(field[1] in fields for fields in TYPES.values())


def test_what_kubernetes_types_cannot_decode_is_refused_before_it_is_sent() -> None:
    chance = random.Random(11)
    specs = [filled("V1PodSpec", chance) for _ in range(1500)]
    templates = [{"spec": one} for one in specs if isinstance(one, dict)]
    jobs, ours = [], []
    for template in templates:
        # What cannot be merged is refused as it is.
        with suppress(InvalidRecipe):
            found = rendering(a_plan(a_run(podTemplate=template)))
            jobs.append(found.objects[1])
            ours.append((template, [str(one) for one in found.violations]))

    verdicts = [[one for one in verdict.decoding if not newer(one)] for verdict in judge(jobs)]

    pairs = zip(ours, verdicts, strict=True)
    assert [(template, theirs) for (template, said), theirs in pairs if theirs and not said] == []
    refused = sum(bool(one) for one in verdicts)
    assert len(jobs) * 0.1 < refused < len(jobs) * 0.9
    assert any(undecodable(template) for template, _ in ours)
