"""Volumes of the listed types, and the agent's own."""

import pytest

from tests.unit.core.plan.policy.asking import SPEC, of_pod


@pytest.mark.parametrize(
    "source",
    [
        {"hostPath": {"path": "/"}},
        {"nfs": {"server": "x", "path": "/"}},
        {"csi": {"driver": "x"}},
        {"image": {"reference": "x"}},
    ],
)
def test_a_volume_of_another_type_is_refused(source: dict) -> None:
    assert of_pod(volumes=[{"name": "v", **source}]) == [f"{SPEC}.volumes[v].{next(iter(source))}"]


@pytest.mark.parametrize("kind", ["serviceAccountToken", "clusterTrustBundle", "podCertificate"])
def test_a_projected_token_is_refused(kind: str) -> None:
    volume = {"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}, {kind: {"path": "t"}}]}}

    assert of_pod(volumes=[volume]) == [f"{SPEC}.volumes[v].projected.{kind}"]


def test_the_volume_of_the_agent_cannot_be_changed() -> None:
    token = {"serviceAccountToken": {"path": "api"}}
    changed = {"name": "trainjobs", "projected": {"sources": [token]}}

    assert of_pod(volumes=[changed]) == [f"{SPEC}.volumes[trainjobs]"]
    assert f"{SPEC}.volumes[trainjobs]" in of_pod(volumes=None)


def test_what_is_made_for_a_volume_is_judged_like_the_pod() -> None:
    def of_claim(template: dict) -> list[str]:
        return of_pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}])

    field = f"{SPEC}.volumes[v].ephemeral.volumeClaimTemplate"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert of_claim({"metadata": {"labels": {"user.trainjobs.dev/team": "a"}}, "spec": spec}) == []
    assert of_claim({"metadata": {"annotations": {"backup": "all"}}, "spec": spec}) == [
        f"{field}.metadata.annotations[backup]"
    ]
    other = {"kind": "PersistentVolumeClaim", "name": "x", "namespace": "other"}
    assert of_claim({"spec": {**spec, "dataSourceRef": other}}) == [f"{field}.spec.dataSourceRef"]
