"""What a manifest names elsewhere is found by the types of its fields."""

import pytest

from trainjobs.api.base import Section
from trainjobs.api.rules import sections
from trainjobs.api.runs import KINDS, RLHFRun
from trainjobs.api.sources import models, sources, with_uris

RUN = RLHFRun.model_validate(
    {
        "metadata": {"name": "policy"},
        "spec": {
            "baseModel": {"fromRun": {"kind": "SFTRun", "name": "chat"}, "tokenizerUri": "hf://org/words"},
            "dataset": {"train": "s3://rows/train", "test": "file://./test.jsonl"},
            "algorithm": {
                "type": "DPO",
                "dpo": {"reference": {"uri": "pvc://models/reference"}},
                "rewards": [
                    {"model": {"uri": "file:///judge"}},
                    {"model": {"fromRun": {"kind": "RewardModelRun", "name": "judge"}}},
                ],
            },
            "checkpoints": {
                "storage": {"uri": "s3://runs"},
                "resume": {"type": "From", "uri": "file:///old/step"},
            },
        },
    }
)


def test_every_uri_is_found_with_its_field():
    found = {source.field: (source.names.kind, source.uri) for source in sources(RUN.spec, "spec")}
    assert found == {
        "spec.baseModel.tokenizerUri": ("Tokenizer", "hf://org/words"),
        "spec.dataset.train": ("Data", "s3://rows/train"),
        "spec.dataset.test": ("Data", "file://./test.jsonl"),
        "spec.algorithm.dpo.reference.uri": ("Model", "pvc://models/reference"),
        "spec.algorithm.rewards[0].model.uri": ("Model", "file:///judge"),
        "spec.checkpoints.storage.uri": ("Storage", "s3://runs"),
        "spec.checkpoints.resume.uri": ("Checkpoint", "file:///old/step"),
    }


def test_every_model_is_found_by_uri_or_by_the_run_that_makes_it():
    assert [field for field, _ in models(RUN.spec, "spec")] == [
        "spec.baseModel",
        "spec.algorithm.dpo.reference",
        "spec.algorithm.rewards[0].model",
        "spec.algorithm.rewards[1].model",
    ]


def test_every_uri_can_be_replaced_and_all_else_stays():
    changed = with_uris(RUN.spec, "spec", lambda source: f"{source.uri}/{source.names.kind}")
    assert [source.uri for source in sources(changed, "spec")] == [
        f"{source.uri}/{source.names.kind}" for source in sources(RUN.spec, "spec")
    ]
    assert with_uris(changed, "spec", lambda source: source.uri.rpartition("/")[0]) == RUN.spec


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_holds_a_uri_without_saying_of_what(kind: type[Section]):
    """A field with the pattern of a URI that `sources` does not know would be fetched by nobody."""

    def unmarked(section: type[Section]) -> list[str]:
        shown = section.model_json_schema(by_alias=True)["properties"]
        patterned = {
            name
            for name, node in shown.items()
            if any("pvc://" in member.get("pattern", "") for member in (node, *node.get("anyOf", ())))
        }
        blank = section.model_construct(**dict.fromkeys(section.model_fields, "s3://bucket"))
        marked = {source.field.rpartition(".")[2] for source in sources(blank, "spec")}
        below = [name for inner in sections(section).values() for name in unmarked(inner)]
        return [*sorted(patterned ^ marked), *below]

    assert unmarked(kind) == []
