"""What a pod reads is what its manifest names: nothing is left out, whatever field it stands in."""

from tests.unit.core.plan.builders import a_plan, a_run
from trainjobs.api.sources import sources
from trainjobs.core.plan.sources import inputs, source_volumes

RUN = a_run(
    "RLHFRun",
    baseModel={"uri": "pvc://models/base#1", "tokenizerUri": "pvc://words/own"},
    dataset={"train": "configMap://rows/train.jsonl", "eval": "pvc://rows/eval", "test": "s3://rows/test"},
    algorithm={
        "type": "DPO",
        "dpo": {"reference": {"uri": "pvc://references/one"}},
        "rewards": [{"model": {"uri": "pvc://rewards/one", "tokenizerUri": "pvc://rewards-words/one"}}],
    },
    checkpoints={
        "storage": {"uri": "pvc://results/runs"},
        "resume": {"type": "From", "uri": "pvc://old/step"},
    },
)


def test_every_uri_of_the_manifest_is_an_input_by_its_field():
    named = {
        source.field: source.uri for source in sources(RUN.spec, "spec") if source.names.kind != "Storage"
    }
    assert {source.field: source.uri for source in inputs(a_plan(RUN).recipe)} == named
    assert len(named) == 9


def test_every_volume_is_mounted_and_only_that_of_storage_can_be_written():
    found = source_volumes(a_plan(RUN).recipe)
    mounted = {mount["mountPath"]: mount.get("readOnly", False) for mount in found.mounts}
    claims = ("models", "words", "rows", "references", "rewards", "rewards-words", "old")
    assert mounted == {
        **{f"/pvc/{claim}": True for claim in claims},
        "/pvc/results": False,
        "/configmaps/rows": True,
    }
