"""The pod as a whole: its fields, its user, and no credentials."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_run
from tests.unit.core.plan.policy.asking import SPEC, fields, of_pod
from trainjobs.core.plan.render import refusals


def test_a_planned_pod_is_allowed_as_it_is() -> None:
    assert fields() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hostNetwork", True),
        ("hostPID", True),
        ("hostIPC", True),
        ("hostUsers", False),
        ("nodeName", "node-1"),
        ("runtimeClassName", "kata"),
        ("serviceAccount", "admin"),
        ("shareProcessNamespace", True),
        ("priority", 2000000000),
        ("restartPolicy", "Always"),
        ("activeDeadlineSeconds", 5),
        ("ephemeralContainers", [{"name": "x"}]),
        ("os", {"name": "linux"}),
        ("fieldOfTheFuture", 1),
    ],
)
def test_a_field_of_a_pod_that_is_not_listed_is_refused(name: str, value: Any) -> None:
    assert of_pod(**{name: value}) == [f"{SPEC}.{name}"]


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"runAsUser": 0}, "runAsUser"),
        ({"runAsNonRoot": False}, "runAsNonRoot"),
        ({"seccompProfile": None}, "seccompProfile"),
        ({"sysctls": [{"name": "x", "value": "1"}]}, "sysctls"),
        ({"seLinuxOptions": {"level": "s0"}}, "seLinuxOptions"),
    ],
)
def test_the_pods_security_cannot_be_lowered(context: dict, field: str) -> None:
    assert of_pod(securityContext=context) == [f"{SPEC}.securityContext.{field}"]


def test_the_api_token_stays_off() -> None:
    assert of_pod(automountServiceAccountToken=True) == [f"{SPEC}.automountServiceAccountToken"]
    assert of_pod(automountServiceAccountToken=None) == [f"{SPEC}.automountServiceAccountToken"]


@given(
    st.dictionaries(
        st.sampled_from(["hostNetwork", "hostPID", "nodeName", "runtimeClassName", "volumes", "containers"]),
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["name", "hostPath", "privileged", "securityContext"]), inner, max_size=2
                )
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_no_value_however_odd_smuggles_a_forbidden_field_past(spec: dict) -> None:
    refused = refusals(a_run(podTemplate={"spec": spec}), PLATFORM)

    forbidden = {"hostNetwork", "hostPID", "nodeName", "runtimeClassName"}
    if any(spec.get(name) is not None for name in forbidden):
        assert refused
