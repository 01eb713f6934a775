"""What each rule says of curves and figures planted for it, and that it keeps silent otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from trainjobs.api.runs import RewardModelRun
from trainjobs.core.diagnosis import (
    DimensionFacts,
    EvaluationFacts,
    Facts,
    Finding,
    ScoresFacts,
    TimeFacts,
    TrainingFacts,
    diagnose,
)
from trainjobs.core.metrics_history import MetricRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def curves(attempt: int = 1, **series: Sequence[float]) -> list[MetricRecord]:
    """One record per point, ten steps apart, four points to an epoch."""
    length = max(len(values) for values in series.values())
    return [
        MetricRecord(
            step=10 * (index + 1),
            epoch=(index + 1) / 4,
            time=NOW,
            attempt=attempt,
            metrics={name: values[index] for name, values in series.items() if index < len(values)},
        )
        for index in range(length)
    ]


GOOD = DimensionFacts(
    name="accuracy",
    minimum=0.0,
    maximum=5.0,
    mae=0.3,
    pearson=0.85,
    pearson_interval=(0.82, 0.88),
    mean_baseline_mae=0.8,
    true_mean=3.2,
    true_deviation=1.0,
    predicted_deviation=0.9,
    train_mean=3.25,
    ceiling=0.97,
)
TRAINING = TrainingFacts(
    epochs=3.0, learning_rate=1e-5, max_grad_norm=1.0, precision="BF16", train_rows=5000, save_every_steps=100
)
LEARNING = curves(
    loss=[1.0, 0.8, 0.62, 0.5, 0.43, 0.39, 0.36, 0.35, 0.345, 0.342, 0.34, 0.339],
    eval_loss=[1.0, 0.85, 0.7, 0.6, 0.54, 0.5, 0.48, 0.46, 0.45, 0.445, 0.442, 0.441],
    eval_pearson=[0.1, 0.4, 0.6, 0.7, 0.76, 0.8, 0.82, 0.84, 0.845, 0.85, 0.85, 0.85],
)


def judged(**changes: object) -> EvaluationFacts:
    """An evaluation of one dimension, good but for `changes`."""
    dimension = replace(GOOD, **changes)  # type: ignore[arg-type]
    return EvaluationFacts(rows=1000, scores=ScoresFacts(dimensions=[dimension], overall=dimension))


def found(facts: Facts) -> dict[str, Finding]:
    return {finding.code: finding for finding in diagnose(facts)}


def test_a_training_that_went_well_has_no_findings() -> None:
    time = TimeFacts(training=1000.0, data=20.0, checkpoints=2.0)
    assert diagnose(Facts(LEARNING, TRAINING, judged(), time)) == []


def test_nothing_known_is_nothing_found() -> None:
    assert diagnose(Facts()) == []


def test_training_loss_above_validation_loss_after_one_epoch_is_undertrained_not_overfitted() -> None:
    """Train 0.8755, validation 0.5928, accuracy 68.45 % after one epoch at 2e-5."""
    history = [
        MetricRecord(step=100, epoch=1.0, time=NOW, metrics={"loss": 0.8755}),
        MetricRecord(step=100, epoch=1.0, time=NOW, metrics={"eval_loss": 0.5928, "eval_accuracy": 0.6845}),
    ]
    findings = found(Facts(history, TrainingFacts(epochs=1.0, learning_rate=2e-5, adapter_dropout=0.05)))
    assert set(findings) == {"Underfitting"}
    assert "undertrained, not overfitted" in findings["Underfitting"].message
    assert findings["Underfitting"].patch == {"spec": {"training": {"epochs": 3.0}}}


def test_the_second_run_of_that_series_is_still_undertrained() -> None:
    """Train 0.6728, validation 0.6050 after two epochs at 1e-5."""
    history = curves(loss=[0.6728], eval_loss=[0.6050], eval_accuracy=[0.68])
    assert set(found(Facts(history, TrainingFacts(epochs=2.0)))) == {"Underfitting"}


def test_metrics_of_one_step_written_in_two_records_are_both_seen() -> None:
    history = [
        MetricRecord(step=10, epoch=1.0, time=NOW, metrics={"eval_loss": 0.5}),
        MetricRecord(step=10, epoch=1.0, time=NOW, metrics={"loss": 0.9}),
    ]
    assert "Underfitting" in found(Facts(history))


def test_a_resumed_attempt_replaces_the_steps_it_repeats() -> None:
    """The first attempt ran away after its last checkpoint; the second did not."""
    first = curves(loss=[1.0, 0.8, 0.7, 9.0, 9.0, 9.0])
    second = curves(attempt=2, loss=[1.0, 0.8, 0.7, 0.6, 0.55, 0.5])[3:]
    assert "Divergence" in found(Facts(first))
    assert "Divergence" not in found(Facts([*first, *second]))


OVERFITTED = curves(
    loss=[1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.12, 0.08],
    eval_loss=[1.0, 0.8, 0.7, 0.65, 0.66, 0.72, 0.8, 0.9],
)


def test_validation_loss_that_rises_while_training_loss_falls_is_overfitting() -> None:
    finding = found(Facts(OVERFITTED, replace(TRAINING, adapter_dropout=0.05)))["Overfitting"]
    assert "step 40" in finding.message
    assert finding.patch == {
        "spec": {
            "training": {"earlyStopping": {"patience": 2}, "weightDecay": 0.01, "epochs": 1.0},
            "adapter": {"lora": {"dropout": 0.15}},
        }
    }


def test_a_gap_below_a_fifth_of_the_loss_of_knowing_nothing_is_none() -> None:
    assert "Overfitting" not in found(Facts(OVERFITTED, replace(TRAINING, loss_scale=10.0)))


def test_a_gap_in_small_losses_is_seen_in_their_scale() -> None:
    """Scores mapped to 0…1 have losses of hundredths."""
    small = curves(
        loss=[0.05, 0.035, 0.025, 0.02, 0.015, 0.01, 0.006, 0.004],
        eval_loss=[0.05, 0.04, 0.035, 0.032, 0.033, 0.036, 0.04, 0.045],
    )
    assert "Overfitting" in found(Facts(small, replace(TRAINING, loss_scale=0.05)))
    assert "Overfitting" not in found(Facts(small, TRAINING))


def test_one_validation_far_above_training_is_a_gap_to_look_at() -> None:
    history = curves(loss=[0.9, 0.6, 0.4, 0.3], eval_loss=[])
    history += [MetricRecord(step=40, epoch=1.0, time=NOW, metrics={"eval_loss": 0.6})]
    findings = found(Facts(history))
    assert "GeneralizationGap" in findings
    assert "Overfitting" not in findings


def test_accuracy_decides_where_it_rises_with_the_loss() -> None:
    history = curves(
        loss=[0.7, 0.5, 0.35, 0.25, 0.2],
        eval_loss=[0.6, 0.55, 0.56, 0.6, 0.66],
        eval_accuracy=[0.6, 0.66, 0.69, 0.72, 0.74],
    )
    findings = found(Facts(history))
    assert findings["StillImproving"].patch == {
        "spec": {"checkpoints": {"keepBest": {"metric": "eval_accuracy"}}}
    }
    assert "Overfitting" not in findings


def test_a_loss_that_does_not_move_is_a_plateau_and_the_rate_decides_the_advice() -> None:
    flat = curves(loss=[0.7, 0.71, 0.69, 0.7, 0.7, 0.7, 0.69, 0.71, 0.7, 0.7, 0.7, 0.69])
    low = found(Facts(flat, replace(TRAINING, learning_rate=1e-5)))["Plateau"]
    high = found(Facts(flat, replace(TRAINING, learning_rate=3e-3)))["Plateau"]
    assert low.patch == {"spec": {"training": {"learningRate": 3e-5}}}
    assert high.patch == {"spec": {"training": {"learningRate": 1e-3}}}
    assert "Plateau" not in found(Facts(LEARNING, TRAINING))


@pytest.mark.parametrize(
    ("history", "diverged"),
    [(curves(loss=[1.0, 0.9, 0.8]), True), (curves(loss=[1.0, 0.9, 1.5, 3.0, 6.0, 9.0]), False)],
    ids=["NaN", "runaway"],
)
def test_a_loss_that_runs_away_is_critical_and_calmed(history: list[MetricRecord], *, diverged: bool) -> None:
    training = replace(TRAINING, diverged=diverged, learning_rate=3e-4, precision="FP16")
    finding = diagnose(Facts(history, training))[0]
    assert (finding.code, finding.severity) == ("Divergence", "Critical")
    assert finding.patch == {
        "spec": {"training": {"warmupRatio": 0.1, "learningRate": 1e-4, "precision": "BF16"}}
    }


def test_validation_that_jumps_up_and_down_is_noisy() -> None:
    jumping = curves(loss=[1.0, 0.8, 0.7, 0.6, 0.5, 0.5], eval_loss=[0.8, 0.5, 0.75, 0.45, 0.7, 0.5])
    assert "NoisyEvaluation" in found(Facts(jumping))


def test_a_correlation_known_only_roughly_is_noisy() -> None:
    finding = found(Facts(evaluation=judged(pearson_interval=(0.6, 0.9))))["NoisyEvaluation"]
    assert "0.60 to 0.90" in finding.message


@pytest.mark.parametrize(
    ("rows", "train_mean", "expected"), [(1000, 2.7, True), (1000, 3.1, False), (20, 2.8, False)]
)
def test_held_out_scores_far_from_the_training_mean_are_shifted(
    rows: int, train_mean: float, *, expected: bool
) -> None:
    """True mean 3.2, deviation 1: half a deviation is a shift, a tenth is not, twenty rows prove nothing."""
    evaluation = replace(judged(train_mean=train_mean), rows=rows)
    assert ("ShiftedEvaluation" in found(Facts(evaluation=evaluation))) is expected


@pytest.mark.parametrize(("rows", "severity"), [(99, "Warning"), (100, "Info"), (999, "Info"), (1000, None)])
def test_too_few_rows(rows: int, severity: str | None) -> None:
    finding = found(Facts(training=TrainingFacts(train_rows=rows))).get("TooFewRows")
    assert (finding.severity if finding else None) == severity


@pytest.mark.parametrize(("repeated", "severity"), [(None, None), (0, None), (10, "Info"), (11, "Warning")])
def test_judged_rows_that_were_learned_from(repeated: int | None, severity: str | None) -> None:
    evaluation = replace(judged(), repeated=repeated)
    finding = found(Facts(evaluation=evaluation)).get("RepeatedRows")
    assert (finding.severity if finding else None) == severity


def test_constant_true_scores_are_critical() -> None:
    findings = found(Facts(evaluation=judged(true_deviation=0.0, pearson=None)))
    assert findings["ConstantScores"].severity == "Critical"
    assert "ConstantPredictions" not in findings


def test_predictions_that_hardly_differ_are_critical() -> None:
    assert (
        found(Facts(evaluation=judged(predicted_deviation=0.02)))["ConstantPredictions"].severity
        == "Critical"
    )


def test_a_weak_correlation_is_a_warning_unless_the_annotators_agree_no_better() -> None:
    assert found(Facts(evaluation=judged(pearson=0.69)))["WeakCorrelation"].severity == "Warning"
    near = found(Facts(evaluation=judged(pearson=0.6, ceiling=0.62)))["WeakCorrelation"]
    assert near.severity == "Info"
    assert "0.62" in near.message
    assert "WeakCorrelation" not in found(Facts(evaluation=judged(pearson=0.7)))


@pytest.mark.parametrize(
    ("mae", "baseline", "words"),
    [
        (0.72, 0.8, "10% below predicting the mean"),
        (0.88, 0.8, "10% above predicting the mean"),
        (1.6, None, "32% of the range"),
        (0.6, 0.8, None),
    ],
)
def test_a_high_error_is_told_by_range_and_baseline(
    mae: float, baseline: float | None, words: str | None
) -> None:
    finding = found(Facts(evaluation=judged(mae=mae, mean_baseline_mae=baseline))).get("HighError")
    assert (finding is None) if words is None else words in (finding.message if finding else "")


def test_waiting_for_data_and_for_checkpoints_is_told_by_its_share() -> None:
    findings = found(Facts(training=TRAINING, time=TimeFacts(training=100.0, data=11.0, checkpoints=1.1)))
    assert findings["SlowData"].patch == {"spec": {"training": {"dataWorkers": 2}}}
    assert findings["CheckpointStalls"].patch == {"spec": {"checkpoints": {"saveEverySteps": 200}}}
    assert not diagnose(Facts(training=TRAINING, time=TimeFacts(training=100.0, data=9.0, checkpoints=0.9)))


def test_the_gravest_finding_comes_first() -> None:
    training = replace(TRAINING, diverged=True, train_rows=500)
    severities = [one.severity for one in diagnose(Facts(OVERFITTED, training, judged(pearson=0.5)))]
    assert severities == sorted(severities, key=["Critical", "Warning", "Info"].index)
    assert severities[0] == "Critical"


def all_patches() -> list[Finding]:
    flat = curves(loss=[0.7] * 12)
    lora = replace(TRAINING, adapter_dropout=0.05)
    everything = [
        Facts(OVERFITTED, lora),
        Facts(curves(loss=[0.9], eval_loss=[0.6]), TRAINING),
        Facts(curves(loss=[0.9], eval_loss=[0.6]), TrainingFacts(max_steps=101)),
        Facts(flat, TRAINING),
        Facts(flat, replace(TRAINING, diverged=True, precision="FP16", max_grad_norm=None)),
        Facts(training=TRAINING, time=TimeFacts(training=10.0, data=5.0, checkpoints=5.0)),
    ]
    return [finding for facts in everything for finding in diagnose(facts) if finding.patch]


@pytest.mark.parametrize("finding", all_patches(), ids=lambda finding: finding.code)
def test_every_patch_is_a_part_of_a_manifest_that_the_api_accepts(finding: Finding) -> None:
    """Merged into a whole manifest, no patch names a field that is not there."""
    spec: dict[str, object] = {
        "baseModel": {"uri": "file:///model"},
        "dataset": {"train": "file:///train.jsonl"},
        "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "accuracy"}]}},
        "adapter": {"type": "LoRA"},
    }
    assert finding.patch is not None
    patch = finding.patch["spec"]
    assert isinstance(patch, dict)
    for section, values in patch.items():
        assert isinstance(values, dict)
        present = spec.get(section)
        spec[section] = {**present, **values} if isinstance(present, dict) else values
    RewardModelRun.model_validate(
        {
            "apiVersion": "trainjobs.dev/v1alpha1",
            "kind": "RewardModelRun",
            "metadata": {"name": "patched"},
            "spec": spec,
        }
    )


def test_a_finding_becomes_a_line_of_status() -> None:
    finding = diagnose(Facts(training=TrainingFacts(train_rows=10)))[0]
    assert finding.status().code == "TooFewRows"
