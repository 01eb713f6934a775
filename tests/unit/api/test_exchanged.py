import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import trainjobs
from trainjobs.api.exchanged import Exchanged
from trainjobs.api.status import RunStatus
from trainjobs.core.metrics_history import MetricRecord
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.reports import FinalRecord, Heartbeat, HeartbeatAnswer, Outcome

SOURCE = Path(trainjobs.__file__).parent
STRICT = {
    "api/exchanged.py": "the tolerant reader itself",
    "api/manifest.py": "manifests",
    "core/plan/decoding.py": "the podTemplate of a manifest",
    "core/recipe/resolve.py": "the recipe that is being written",
    "controller/settings.py": "the chart's values",
    "cli/platform_settings.py": "the chart's values",
    "agent/progress.py": "names that a user's own script reports",
}
"""Files that read what people write, or what they have just made themselves."""
WHEN = datetime(2026, 1, 2, tzinfo=UTC)
CONDITION = {
    "type": "Finished",
    "status": "True",
    "reason": "Succeeded",
    "lastTransitionTime": "2026-01-02T00:00:00Z",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = sorted({str(field.alias) for field in RunStatus.model_fields.values()} - {"conditions"})


def test_whatever_programs_write_is_read_by_the_tolerant_reader() -> None:
    strict = re.compile(r"\.model_validate(_json|_strings)?\(|\.validate_(python|json)\(")
    using = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if strict.search(path.read_text(encoding="utf-8"))
    }

    assert using <= set(STRICT), "derive from Exchanged, and read by from_json or from_document"


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), json_values, max_size=5))
def test_no_field_of_a_status_ever_drops_its_conditions(others: dict[str, object]) -> None:
    others.pop("conditions", None)

    status = RunStatus.from_document({**others, "conditions": [{**CONDITION, "severity": "New"}]})

    assert [(one.type, one.status, one.reason) for one in status.conditions] == [
        ("Finished", "True", "Succeeded")
    ]


def test_a_condition_that_cannot_be_read_drops_no_other() -> None:
    newer = {**CONDITION, "type": "Verified", "status": "Mostly"}

    status = RunStatus.from_document({"conditions": [newer, CONDITION, {"type": "Odd"}]})

    assert [one.type for one in status.conditions] == ["Finished"]


def test_more_conditions_than_this_version_takes_leave_the_newest() -> None:
    many = [{**CONDITION, "type": f"New{number}"} for number in range(20)]

    status = RunStatus.from_document({"conditions": [*many, CONDITION]})

    assert len(status.conditions) == 16
    assert status.conditions[-1].type == "Finished"


def test_words_of_another_version_in_open_fields_are_kept() -> None:
    status = RunStatus.from_document(
        {"phase": "Verifying", "conditions": [{**CONDITION, "type": "Verified", "reason": "Signed"}]}
    )

    assert (status.phase, status.conditions[0].type, status.conditions[0].reason) == (
        "Verifying",
        "Verified",
        "Signed",
    )


def test_a_status_is_written_with_the_fields_of_a_newer_version() -> None:
    status = RunStatus.from_document({"phase": "Running", "storage": {"uri": "s3://runs"}})

    document = status.model_copy(update={"attempt": 3}).document()

    assert (document["storage"], document["phase"], document["attempt"]) == (
        {"uri": "s3://runs"},
        "Running",
        3,
    )


def test_a_directive_of_a_newer_operator_lets_training_go_on() -> None:
    assert HeartbeatAnswer.from_json('{"directive": "Defragment", "because": 1}').directive == "Continue"


def test_a_stage_of_a_newer_agent_is_shown_as_it_is() -> None:
    beat = Heartbeat.from_json(
        '{"runUid": "u", "attempt": 1, "nodeRank": 0, "stage": "Compiling", "time": "2026-01-02T00:00:00Z"}'
    )

    assert beat.stage == "Compiling"


def test_a_record_with_an_unknown_field_is_no_lost_record() -> None:
    record = FinalRecord.from_json(
        '{"attempt": 2, "nodeRank": 0, "exitCode": 20, "reason": "Diverged", "signature": "x"}'
    )

    assert record.reason == "Diverged"


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Outcome, '{"step": "many", "totalSteps": 3}'),
        (Outcome, '{"totalSteps": 3}'),
        (MetricRecord, '{"step": 1, "epo'),
        (RunStatus, "nonsense"),
    ],
)
def test_damage_is_no_other_version(model: type[Exchanged], text: str) -> None:
    with pytest.raises(ValidationError):
        model.from_json(text)


def test_a_recipe_names_what_is_passed_over_and_refuses_what_it_cannot_choose() -> None:
    recipe = {
        "run": {"kind": "SFTRun", "namespace": "ml", "name": "chat", "uid": "1a2b3c4d-5e6f"},
        "task": "SFT",
        "model": {"uri": "s3://models/base"},
        "dataset": {"train": "s3://data/a.jsonl", "shards": 3},
        "training": {"optimizerWarmth": 0.5},
        "processes": {"nodes": 1, "perNode": 1},
        "checkpoints": {},
        "limits": {"startTimeoutSeconds": 60, "hangTimeoutSeconds": 60},
        "store": "s3://runs/ml/SFTRun/chat-1a2b3c4d",
    }

    assert Recipe.from_document(recipe).task == "SFT"
    assert Recipe.not_known(recipe) == ("dataset.shards", "training.optimizerWarmth")
    with pytest.raises(ValidationError, match="task"):
        Recipe.from_document({**recipe, "task": "Distillation"})
