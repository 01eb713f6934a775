import json
from datetime import UTC, datetime

import pytest

from trainjobs.agent.progress import MOST_METRICS, ProgressTracker, Report, parse_report
from trainjobs.api.checkpoints import KeepBest
from trainjobs.errors import InvalidData

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def body(**metrics: object) -> bytes:
    pairs = [{"name": name, "value": str(value)} for name, value in metrics.items()]
    return json.dumps({"trainerStatus": {"progressPercentage": 3, "metrics": pairs}}).encode()


def tracker(best: KeepBest | None = None) -> ProgressTracker:
    return ProgressTracker(best or KeepBest(), 0.0)


def test_a_report_of_the_callback_is_taken_apart():
    report = parse_report(body(loss=0.5, current_step=3, total_steps=40, current_epoch=0.25))
    assert report == Report(step=3, total_steps=40, epoch=0.25, metrics={"loss": 0.5})


def test_the_first_report_has_no_step():
    assert parse_report(body(total_steps=40)) == Report(total_steps=40)
    assert parse_report(b'{"trainerStatus": {"lastUpdatedTime": "x"}}') == Report()


def test_figures_that_are_no_numbers_and_names_a_status_may_not_carry_are_left_out():
    report = parse_report(body(**{"loss": "nan", "rate": "inf", "words": "many", "a b": 1, "ok.fine": 2}))
    assert dict(report.metrics) == {"ok.fine": 2.0}


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b"{}", b'{"trainerStatus": 7}', b'{"trainerStatus": {"metrics": [1]}}', b"\xff"]
)
def test_what_is_no_report_is_refused(wrong):
    with pytest.raises(InvalidData, match="trainerStatus"):
        parse_report(wrong)


def test_time_left_comes_from_the_steps_of_this_process_not_from_all():
    watched = tracker()
    # Resumed at 900 of 1,000: two seconds a step, a hundred steps left.
    for step in range(901, 911):
        watched.take(Report(step=step, total_steps=1000), at=2.0 * step, now=NOW)
    progress = watched.progress()
    assert progress is not None
    assert (progress.step, progress.percent, progress.eta_seconds) == (910, 91, 180)


def test_time_left_follows_the_present_rate():
    watched = tracker()
    at = 0.0
    for step in range(1, 201):
        at += 10.0 if step <= 100 else 1.0
        watched.take(Report(step=step, total_steps=300), at=at, now=NOW)
    assert watched.progress().eta_seconds == 100


def test_one_step_alone_tells_no_rate():
    watched = tracker()
    watched.take(Report(step=1, total_steps=10), at=1.0, now=NOW)
    assert watched.progress().eta_seconds is None


def test_the_best_figure_keeps_the_step_it_was_measured_at():
    watched = tracker(KeepBest(metric="eval_accuracy", direction="Higher"))
    for step, value in ((10, 0.5), (20, 0.8), (30, 0.7)):
        watched.take(Report(step=step, metrics={"eval_accuracy": value}), at=step, now=NOW)
    best = watched.metrics().best
    assert (best.name, best.value, best.step) == ("eval_accuracy", 0.8, 20)


def test_only_what_is_new_is_a_sign_of_life():
    watched = tracker()
    watched.take(Report(step=5, metrics={"loss": 1.0}), at=10.0, now=NOW)
    watched.take(Report(step=5, metrics={"loss": 1.0}), at=20.0, now=NOW)
    assert watched.last_sign == 10.0
    watched.take(Report(step=5, metrics={"eval_loss": 1.0}), at=30.0, now=NOW)
    assert watched.last_sign == 30.0


def test_a_status_never_carries_more_than_its_metrics():
    watched = tracker()
    for number in range(200):
        watched.take(Report(step=1, metrics={f"m{number}": 1.0}), at=1.0, now=NOW)
    latest = watched.metrics().latest
    assert len(latest) == MOST_METRICS
    assert "m199" in latest


def test_nothing_is_told_before_training_said_anything():
    assert tracker().progress() is None
