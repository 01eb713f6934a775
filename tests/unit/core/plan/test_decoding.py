# ruff: noqa: E501  # messages stand as they are said, unbroken
"""Pod templates that no API server could decode."""

from typing import Any

import pytest

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.decoding import undecodable
from trainjobs.core.plan.render import refusals


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "pytorch", **fields}]}}


FIELD = "spec.podTemplate.spec.containers[0]"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (
            container(resources={"limits": {"cpu": "1.2.3"}}),
            f"{FIELD}.resources.limits[cpu]: '1.2.3' is not allowed: its number has more than one '.'; "
            "give a quantity such as 2, 500m or 16Gi",
        ),
        (
            container(env=[{"name": "RANKS", "value": 4}]),
            f"{FIELD}.env[0].value: 4 is not allowed; give text (in quotes where YAML would read a number or a yes)",
        ),
        (container(args="--fast"), f"{FIELD}.args: '--fast' is not allowed; give a list"),
        (
            {"spec": {"nodeSelector": {"gpu": True}}},
            "spec.podTemplate.spec.nodeSelector[gpu]: true is not allowed; give text (in quotes where YAML would "
            "read a number or a yes)",
        ),
        (
            {"spec": {"tolerations": [{"key": "gpu", "efect": "NoSchedule"}]}},
            "spec.podTemplate.spec.tolerations[0].efect: there is no such field; did you mean effect?",
        ),
        (
            {"spec": {"tolerations": [{"tolerationSeconds": "60"}]}},
            "spec.podTemplate.spec.tolerations[0].tolerationSeconds: '60' is not allowed; give a whole number",
        ),
        (
            {"spec": {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "16K"}}]}},
            "spec.podTemplate.spec.volumes[0].emptyDir.sizeLimit: '16K' is not allowed: the suffix for 1000 is k, "
            "for 1024 Ki; give a quantity such as 2, 500m or 16Gi",
        ),
        ({"spec": []}, "spec.podTemplate.spec: [] is not allowed; give a mapping of fields"),
        (
            {"metadata": {"labels": {"team": 1}}},
            "spec.podTemplate.metadata.labels[team]: 1 is not allowed; give text (in quotes where YAML would read a "
            "number or a yes)",
        ),
    ],
)  # fmt: skip
def test_what_a_type_cannot_hold_is_refused_by_its_field(template: dict[str, Any], said: str) -> None:
    assert [str(one) for one in undecodable(template)] == [said]


def test_labels_that_a_pod_would_be_refused_for_are_refused() -> None:
    marks = {"labels": {"team": "a" * 64, "zone": None}, "annotations": {"a b": "x"}}
    assert [one.field for one in undecodable({"metadata": marks})] == [
        "spec.podTemplate.metadata.labels.team",
        'spec.podTemplate.metadata.annotations["a b"]',
    ]


def test_the_operator_refuses_it_before_it_asks_the_api_server() -> None:
    template = container(resources={"limits": {"cpu": "lots"}})
    (refused,) = refusals(a_run(podTemplate=template), PLATFORM)
    assert (refused.reason, refused.permanent) == (Reason.INVALID_SPEC, True)


@pytest.mark.parametrize(
    "template",
    [
        container(resources={"limits": {"cpu": 0.5, "memory": "500k", "nvidia.com/gpu": 1}}, env=None),
        {"spec": {"securityContext": {"fsGroup": 2000}, "tolerations": [{"operator": "Exists"}]}},
        {"spec": {"hostNetwork": "judged by the policy"}},
        {},
    ],
)
def test_what_can_be_decoded_is_left_to_the_policy(template: dict[str, Any]) -> None:
    assert undecodable(template) == ()
