"""Labels and annotations: only those that are listed."""

import pytest

from tests.unit.core.plan.builders import PLATFORM
from tests.unit.core.plan.policy.asking import fields


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"trainjobs.dev/run-uid": "another"}},
        {"labels": {"training.kubeflow.org/replica-index": "0"}},
        {"labels": {"kueue.x-k8s.io/queue-name": "other"}},
        {"annotations": {"trainjobs.dev/recipe": "{}"}},
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/pytorch": "unconfined"}},
        {"annotations": {"sidecar.istio.io/userVolume": '[{"name":"x","hostPath":{"path":"/"}}]'}},
        {"annotations": {"k8s.v1.cni.cncf.io/networks": "other/storage"}},
        {"annotations": {"vault.hashicorp.com/agent-inject": "true"}},
        {"labels": {"app": "payments"}},
        {"labels": {"app.kubernetes.io/name": "payments"}},
        {"labels": {"user.trainjobs.dev": "x"}},
    ],
)
def test_labels_and_annotations_that_others_go_by_are_refused(metadata: dict) -> None:
    kind = next(iter(metadata))
    name = next(iter(metadata[kind]))

    assert fields(podTemplate={"metadata": metadata}) == [f"spec.podTemplate.metadata.{kind}[{name}]"]


def test_labels_and_annotations_that_are_listed_are_allowed() -> None:
    own = {
        "labels": {"user.trainjobs.dev/team": "a"},
        "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    }
    of_platform = {"labels": {"cost-center": "7"}, "annotations": {"example.com/anything": "rdma"}}
    lists = PLATFORM.model_copy(
        update={"allowed_pod_labels": ["cost-center"], "allowed_pod_annotations": ["example.com/"]}
    )

    assert fields(podTemplate={"metadata": own}) == []
    assert fields(lists, podTemplate={"metadata": own}) == []
    assert fields(lists, podTemplate={"metadata": of_platform}) == []
    assert len(fields(podTemplate={"metadata": of_platform})) == 2
    assert fields(lists, podTemplate={"metadata": {"labels": {"cost-center-2": "7"}}}) != []
    assert fields(podTemplate={"metadata": {"name": "x"}}) == ["spec.podTemplate.metadata.name"]


def test_what_the_operator_goes_by_is_never_a_manifests_to_set() -> None:
    lists = PLATFORM.model_copy(update={"allowed_pod_labels": ["trainjobs.dev/", "kueue.x-k8s.io/"]})

    for name in ("trainjobs.dev/run-uid", "trainjobs.dev/more", "kueue.x-k8s.io/queue-name"):
        assert fields(lists, podTemplate={"metadata": {"labels": {name: "x"}}}) == [
            f"spec.podTemplate.metadata.labels[{name}]"
        ]
