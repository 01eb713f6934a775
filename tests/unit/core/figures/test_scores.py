"""A figure knows its direction, wherever it is named: what a manifest, a recipe and retention make of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.api.figures import SCORES
from trainjobs.api.manifest import check
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.retention import Best, Retention, to_delete
from trainjobs.core.figures.scores import evaluated, is_better, kind_of, validated
from trainjobs.core.recipe.resolve import resolve
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe

HERE = Settings(run_store="file:///run")
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(lambda name: name != "overall")
DIMENSIONS = st.lists(NAMES, min_size=1, max_size=4, unique=True)
DIRECTIONS = st.sampled_from([None, "Lower", "Higher"])


def spec_of(dimensions: list[str], metric: str, direction: str | None = None) -> dict:
    best = {"metric": metric} | ({"direction": direction} if direction else {})
    return {
        "baseModel": {"uri": "s3://models/base"},
        "dataset": {"train": "s3://data/train.jsonl", "evalFraction": 0.1},
        "objective": {
            "type": "Regression",
            "regression": {"dimensions": [{"name": name} for name in dimensions]},
        },
        "checkpoints": {"keepBest": best},
    }


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("eval_loss", "Lower"),
        ("loss", "Lower"),
        ("eval_mae", "Lower"),
        ("eval_pearson", "Higher"),
        ("eval_depth_pearson", "Higher"),
        ("eval_depth_mse", "Lower"),
        ("overall.spearman", "Higher"),
        ("depth.rmse", "Lower"),
        ("eval_f1", None),
        ("eval_neg_mse", None),
        ("eval_other_pearson", None),
    ],
)
def test_the_table_knows_a_figure_by_any_of_its_names_and_no_other(metric, direction):
    kind = kind_of(metric, ["depth"])
    assert (kind and kind.direction) == direction


def test_names_are_those_that_are_measured():
    one = ["eval_loss", "eval_pearson", "eval_mae", "eval_mse"]
    assert validated(["depth"]) == one
    assert validated(["a", "b"]) == one + [
        f"eval_{name}_{figure}" for name in "ab" for figure in ("pearson", "mae", "mse")
    ]
    assert evaluated(["a"]) == [f"{name}.{kind.name}" for name in ("overall", "a") for kind in SCORES]


@given(data=st.data(), dimensions=DIMENSIONS, direction=DIRECTIONS)
def test_a_manifest_that_says_a_direction_is_right_exactly_where_the_table_says_the_same(
    data, dimensions, direction
):
    metric = data.draw(st.sampled_from([name for name in validated(dimensions) if len(name) <= 64]))
    known = kind_of(metric, dimensions)
    assert known is not None

    body = {
        "apiVersion": "trainjobs.dev/v1alpha1",
        "kind": "RewardModelRun",
        "metadata": {"name": "scores"},
        "spec": spec_of(dimensions, metric, direction),
    }
    reading = check(json.dumps(body), "m.yaml")

    assert [fault.path for fault in reading.faults] == (
        [] if direction in (None, known.direction) else ["spec.checkpoints.keepBest.direction"]
    )
    for run in reading.runs:
        assert resolve(run, HERE).checkpoints.keep_best.direction == known.direction


@given(
    metric=st.sampled_from(["eval_pearson", "eval_depth_pearson", "eval_loss", "eval_depth_mae"]),
    values=st.lists(st.floats(0, 1), min_size=2, max_size=8, unique=True),
)
def test_the_best_model_is_never_deleted(metric, values):
    best = resolve(a_run(**spec_of(["depth", "other"], metric)), PLATFORM).checkpoints.keep_best
    checkpoints = {CheckpointRef(step, 1): {metric: value} for step, value in enumerate(values)}
    retention = Retention(1, Best(best.count, best.metric, best.direction))

    gone = to_delete(checkpoints, retention, ())

    wanted = max(values) if metric.endswith("pearson") else min(values)
    kept = [metrics[metric] for ref, metrics in checkpoints.items() if ref not in gone]
    assert wanted in kept
    assert not any(is_better(value, wanted, best.direction) for value in values)


def test_a_metric_of_a_script_needs_its_direction():
    own = {"runtime": {"command": ["train.py"]}, "checkpoints": {"keepBest": {"metric": "eval_f1"}}}
    with pytest.raises(InvalidRecipe, match=r"^spec\.checkpoints\.keepBest\.direction: needed for eval_f1"):
        resolve(a_run(**own), PLATFORM)
