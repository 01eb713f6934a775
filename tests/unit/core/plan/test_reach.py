"""What a cluster could not read, write or run of a manifest."""

from tests.unit.core.plan.builders import PLATFORM, a_plan
from tests.unit.core.plan.policy.asking import fields
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.render import rendering


def test_files_beside_the_manifest_are_one_refusal_that_names_every_field() -> None:
    found = rendering(
        a_plan(
            baseModel={"uri": "file://./model"},
            dataset={"train": "file://./t.jsonl", "test": "s3://bucket/t"},
        )
    ).violations

    assert [one.field for one in found] == ["spec.baseModel.uri, spec.dataset.train"]
    assert found[0].reason is Reason.INVALID_SPEC


def test_checkpoints_in_a_folder_of_the_pod_are_refused_unless_a_claim_is_mounted_there() -> None:
    storage = {"storage": {"uri": "file:///mnt/results"}}
    volume = {
        "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}],
        "containers": [{"name": "pytorch", "volumeMounts": [{"name": "results", "mountPath": "/mnt"}]}],
    }

    assert fields(checkpoints=storage) == ["spec.checkpoints.storage.uri"]
    assert fields(checkpoints=storage, podTemplate={"spec": volume}) == []


def test_nothing_lies_between_checkpoints_and_the_volume_that_they_go_to() -> None:
    claim = {"storage": {"uri": "pvc://results/runs"}}
    folder = {"storage": {"uri": "file:///mnt/results"}}
    own = [
        {"name": "results", "persistentVolumeClaim": {"claimName": "results"}},
        {"name": "v", "emptyDir": {}},
    ]

    def refused(checkpoints: dict, *mounts: dict) -> list[str]:
        container = {"name": "pytorch", "volumeMounts": [*mounts]}
        return fields(
            checkpoints=checkpoints, podTemplate={"spec": {"volumes": own, "containers": [container]}}
        )

    lasting = {"name": "results", "mountPath": "/mnt"}
    assert refused(claim) == refused(folder, lasting) == []
    assert refused(claim, {"name": "v", "mountPath": "/pvc/other"}) == []
    assert refused(claim, {"name": "v", "mountPath": "/pvc/results/"}) != []
    for path in ("/pvc/results", "/pvc/results/runs", "/pvc/results/runs/ml"):
        assert refused(claim, {"name": "v", "mountPath": path}) == ["spec.podTemplate"]
    assert refused(claim, {"mountPath": "/pvc/results", "name": "claim-0", "subPath": "x"}) == [
        "spec.podTemplate"
    ]
    assert refused(folder, lasting, {"name": "v", "mountPath": "/mnt/results"}) == [
        "spec.checkpoints.storage.uri"
    ]


def test_a_run_without_an_image_is_refused() -> None:
    assert fields(PLATFORM.model_copy(update={"image": ""})) == ["spec.runtime.image"]
    assert fields(PLATFORM.model_copy(update={"image": ""}), runtime={"image": "mine"}) == []


def test_a_recipe_that_no_annotation_holds_is_refused() -> None:
    found = fields(runtime={"command": ["x" * 16000] * 20})

    assert found == ["spec"]
