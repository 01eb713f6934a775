"""Where the attempts of a history began."""

from datetime import UTC, datetime

from trainjobs.core.metrics_history import MetricRecord, beginnings


def record(step: int, attempt: int, resumed_from: int | None = None) -> MetricRecord:
    return MetricRecord(
        step=step, epoch=1.0, time=datetime.now(UTC), attempt=attempt, metrics={}, resumed_from=resumed_from
    )


def test_an_attempt_begins_at_the_step_that_it_went_on_from_not_at_its_first_record() -> None:
    history = [record(30, 1), record(60, 1), record(90, 2, 72), record(120, 2), record(150, 4, 120)]
    assert beginnings(history) == {1: 30, 2: 72, 4: 120}


def test_a_history_without_that_word_begins_where_it_is_first_heard_of() -> None:
    assert beginnings([record(30, 1), record(90, 2)]) == {1: 30, 2: 90}
