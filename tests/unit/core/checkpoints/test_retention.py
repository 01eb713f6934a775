"""What retention deletes, and what it never does."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import Best, Retention, ranked, to_delete
from trainjobs.errors import InvalidRecipe

refs = st.builds(CheckpointRef, st.integers(0, 40), st.integers(1, 3))
metrics = st.fixed_dictionaries({}, optional={"loss": st.floats(), "other": st.floats()})
stored = st.dictionaries(refs, metrics, max_size=15)
bests = st.none() | st.builds(Best, st.integers(0, 4), st.just("loss"), st.sampled_from(["Lower", "Higher"]))
retentions = st.builds(Retention, st.integers(1, 5), bests)


def at(*losses: float) -> dict[CheckpointRef, dict[str, float]]:
    return {CheckpointRef(step, 1): {"loss": loss} for step, loss in enumerate(losses)}


def steps(found: tuple[CheckpointRef, ...]) -> list[int]:
    return [ref.step for ref in found]


@pytest.mark.parametrize(
    ("retention", "deleted"),
    [
        (Retention(1), [0, 1, 2, 3]),
        (Retention(3), [0, 1]),
        (Retention(9), []),
        (Retention(1, Best(1, "loss", "Lower")), [0, 2, 3]),
        (Retention(1, Best(2, "loss", "Lower")), [0, 2]),
        (Retention(1, Best(1, "loss", "Higher")), [1, 2, 3]),
        (Retention(1, Best(2, "no_such_metric", "Higher")), [0, 1, 2, 3]),
    ],
)
def test_the_newest_and_the_best_stay(retention: Retention, deleted: list[int]):
    assert steps(to_delete(at(0.9, 0.1, 0.5, 0.2, 0.4), retention, ())) == deleted


def test_what_is_protected_stays():
    assert steps(to_delete(at(1, 2, 3, 4), Retention(1), {CheckpointRef(1, 1)})) == [0, 2]


@pytest.mark.parametrize("direction", ["Lower", "Higher"])
def test_a_figure_that_is_no_number_is_never_the_best(direction: str):
    assert steps(ranked(at(math.nan, math.inf, -math.inf, 0.5), "loss", direction)) == [3]


@given(stored, retentions, st.sets(refs, max_size=4))
def test_what_must_stay_always_stays(found, retention: Retention, protected):
    deleted = to_delete(found, retention, protected)
    kept = set(found) - set(deleted)
    assert set(sorted(found)[-retention.keep_latest :]) <= kept
    assert protected & set(found) <= kept
    if retention.best is not None:
        best = ranked(found, retention.best.metric, retention.best.direction)
        assert set(best[: retention.best.keep]) <= kept
    assert list(deleted) == sorted(set(deleted))
    # And no more stays than was asked for.
    best_kept = retention.best.keep if retention.best else 0
    assert len(kept) <= retention.keep_latest + best_kept + len(protected)


@given(stored, retentions, st.sets(refs, max_size=4))
def test_deleting_twice_deletes_nothing_more(found, retention: Retention, protected):
    deleted = to_delete(found, retention, protected)
    left = {ref: figures for ref, figures in found.items() if ref not in deleted}
    assert to_delete(left, retention, protected) == ()


def test_settings_that_would_lose_the_run_are_refused():
    with pytest.raises(InvalidRecipe, match=r"spec\.checkpoints\.keepLatest: 0 is not allowed"):
        Retention(0)
    with pytest.raises(InvalidRecipe, match=r"spec\.checkpoints\.keepBest: -1 is not allowed"):
        Best(-1, "loss", "Lower")
