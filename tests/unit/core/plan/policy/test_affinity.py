"""Pods are placed by pods of their own namespace."""

from typing import Any

import pytest

from tests.unit.core.plan.builders import PLATFORM
from tests.unit.core.plan.policy.asking import SPEC, of_pod

CONDITIONS = "requiredDuringSchedulingIgnoredDuringExecution"
WISHES = "preferredDuringSchedulingIgnoredDuringExecution"
KINDS = ("podAffinity", "podAntiAffinity")
NEAR = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "cache"}}}
ABROAD = {**NEAR, "namespaces": ["payments"]}


def condition(kind: str, term: dict[str, Any]) -> dict[str, Any]:
    return {kind: {CONDITIONS: [term]}}


def wish(kind: str, term: dict[str, Any]) -> dict[str, Any]:
    return {kind: {WISHES: [{"weight": 1, "podAffinityTerm": term}]}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespaces", ["payments"]),
        ("namespaceSelector", {}),
        ("namespaceSelector", {"matchLabels": {"a": "b"}}),
    ],
)
def test_pods_of_other_namespaces_are_nothing_to_go_by(kind: str, name: str, value: Any) -> None:
    field = f"{SPEC}.affinity.{kind}"

    assert of_pod(affinity=condition(kind, {**NEAR, name: value})) == [f"{field}.{CONDITIONS}[0].{name}"]
    assert of_pod(affinity=wish(kind, {**NEAR, name: value})) == [
        f"{field}.{WISHES}[0].podAffinityTerm.{name}"
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_pods_of_the_own_namespace_are(kind: str) -> None:
    for said in ({}, {"namespaces": []}, {"namespaces": None}, {"namespaceSelector": None}):
        assert of_pod(affinity=condition(kind, {**NEAR, **said})) == []
        assert of_pod(affinity=wish(kind, {**NEAR, **said})) == []


def test_machines_and_spreading_are_free() -> None:
    term = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]}
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}

    assert of_pod(affinity={"nodeAffinity": {CONDITIONS: term}}) == []
    assert of_pod(topologySpreadConstraints=[{**spread, "labelSelector": {}}]) == []


def test_what_the_platform_says_of_other_namespaces_stays() -> None:
    template = {"spec": {"affinity": wish("podAffinity", ABROAD)}}
    platform = PLATFORM.model_copy(update={"pod_templates": [template]})

    assert of_pod(platform) == []
    assert of_pod(platform, affinity=condition("podAffinity", NEAR)) == []
    assert of_pod(platform, affinity=wish("podAffinity", ABROAD)) == []
    assert of_pod(platform, affinity=None) == [f"{SPEC}.affinity"]
    assert of_pod(platform, affinity={"podAffinity": None}) == [f"{SPEC}.affinity"]
    assert of_pod(platform, affinity=wish("podAntiAffinity", ABROAD)) != []
    assert of_pod(platform, affinity=condition("podAffinity", ABROAD)) != []
