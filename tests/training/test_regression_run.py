"""What a regression run leaves, and that it learns."""

import json
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from tests.training.tiny import DIMENSIONS, figures, make_recipe, make_rows, train
from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.core.outputs import Done, SavedMark
from trainjobs.core.recipe.resolve import resolve
from trainjobs.ml.modeling.scorers import load_scorer
from trainjobs.ml.scoring import RewardModel
from trainjobs.ml.training.statistics import TrainingStats


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """The folder of a finished run on rows of three annotators."""
    folder = tmp_path_factory.mktemp("finished")
    rows = make_rows(folder / "train.jsonl", 400, annotators=3)
    recipe = make_recipe(folder, bert, rows, training={"epochs": 8})
    assert train(recipe) == 0
    return folder / "output"


def test_a_signal_in_the_rows_is_learned(finished: Path) -> None:
    done = Done.model_validate_json((finished / "done.json").read_bytes())
    assert done.step == done.total_steps == 8 * 40
    assert done.metrics["eval_accuracy_pearson"] > 0.9
    assert done.metrics["accuracy.pearson"] > 0.9


def test_the_model_loads_by_the_library_and_by_ours(finished: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(finished / "model")
    assert model.config.problem_type == "regression"
    assert model.config.id2label == {0: "accuracy", 1: "depth"}
    assert load_scorer(finished / "model").card.names == ["accuracy", "depth"]


def test_the_best_checkpoint_is_the_result(finished: Path) -> None:
    done = Done.model_validate_json((finished / "done.json").read_bytes())
    assert done.best is not None
    losses = figures(finished, "eval_loss")
    assert losses[done.best.step] == min(losses.values()) == done.best.value
    kept = load_file(finished / f"checkpoint-{done.best.step}" / "model.safetensors")
    result = load_file(finished / "model" / "model.safetensors")
    assert all((kept[name] == result[name]).all() for name in result)


def test_every_checkpoint_carries_its_mark(finished: Path) -> None:
    for folder in finished.glob("checkpoint-*"):
        mark = SavedMark.model_validate_json((folder / "trainjobs-saved.json").read_bytes())
        assert mark.step == int(folder.name.removeprefix("checkpoint-"))
        assert mark.metrics["eval_loss"] > 0
    assert not list(finished.glob(".*.partial"))


def test_an_epoch_is_one_line_that_grep_finds(finished: Path) -> None:
    lines = [line for line in (finished / "training.log").read_text().splitlines() if " epoch=1 " in line]
    assert len(lines) == 1
    assert " train_loss=" in lines[0]
    assert " val_loss=" in lines[0]
    assert " val_pearson=" in lines[0]


def test_statistics_have_their_documented_fields(finished: Path) -> None:
    stats = TrainingStats.model_validate_json((finished / "training_stats.json").read_bytes())
    assert stats.steps == 320
    assert stats.samples == 8 * 320
    assert len(stats.loss_per_epoch) == 8
    assert stats.best_loss is not None
    assert stats.average_loss is not None
    assert stats.best_loss < stats.average_loss
    assert stats.annotators["accuracy"].rows == 320
    assert stats.annotators["accuracy"].ratings_per_row == 3
    assert stats.tokens > stats.samples * 5
    assert stats.checkpoints == list(range(40, 321, 40))


def test_the_environment_names_data_by_hash(finished: Path) -> None:
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["data"]["train/train.jsonl"].startswith("sha256:")
    assert environment["versions"]["torch"]
    assert environment["seed"] == 42
    assert yaml.safe_load((finished / "recipe.yaml").read_text())["task"] == "Regression"


def test_the_same_seed_gives_the_same_figures(tmp_path: Path, bert: Path, rows: Path) -> None:
    for name in ("first", "second"):
        recipe = make_recipe(tmp_path / name, bert, rows, dataset={"trainFraction": 0.5})
        assert train(recipe) == 0
    first, second = tmp_path / "first" / "output", tmp_path / "second" / "output"
    assert figures(first) == figures(second)
    assert figures(first, "eval_loss") == figures(second, "eval_loss")


def test_scores_are_in_the_scale_of_the_rows_whatever_a_head_learns(
    tmp_path: Path, bert: Path, rows: Path
) -> None:
    """A step too small to be one leaves the same outputs, which mean other scores."""
    training = {"epochs": None, "maxSteps": 1, "learningRate": 1e-12}
    scores = {}
    for kind in ("None", "Range"):
        objective = {"regression": {"normalization": kind}}
        assert train(make_recipe(tmp_path / kind, bert, rows, objective=objective, training=training)) == 0
        model = RewardModel.load(tmp_path / kind / "output", device="cpu")
        scores[kind] = [score.raw_scores["accuracy"] for score in model.score(["good", "bad film", "dull"])]
    # What is 0 to 1 for the head is -10 to 10 in the rows.
    assert scores["Range"] == pytest.approx([-10 + 20 * output for output in scores["None"]], abs=1e-3)


def test_early_stopping_ends_before_the_last_epoch(tmp_path: Path, bert: Path, rows: Path) -> None:
    recipe = make_recipe(
        tmp_path,
        bert,
        rows,
        training={"epochs": 9, "learningRate": 1e-9, "earlyStopping": {"patience": 2, "minDelta": 0.1}},
    )
    assert train(recipe) == 0
    done = Done.model_validate_json((tmp_path / "output" / "done.json").read_bytes())
    assert done.step == 3 * 8


@pytest.mark.parametrize("metric", ["eval_pearson", "eval_depth_mae"])
def test_the_best_model_is_kept_by_what_its_metric_says_of_itself(
    tmp_path: Path, bert: Path, rows: Path, metric: str
) -> None:
    run = a_run(
        objective={"type": "Regression", "regression": {"dimensions": DIMENSIONS}},
        checkpoints={"keepBest": {"metric": metric}},
    )
    resolved = resolve(run, PLATFORM).checkpoints.keep_best.model_dump(mode="json", by_alias=True)
    # Small steps forward, then large ones that lose what was learned.
    training = {"epochs": 3, "learningRate": 3e-2, "schedule": "Constant", "evalEverySteps": 4}
    recipe = make_recipe(tmp_path, bert, rows, checkpoints={"keepBest": resolved}, training=training)
    assert train(recipe) == 0
    done = Done.model_validate_json((tmp_path / "output" / "done.json").read_bytes())
    measured = figures(tmp_path / "output", metric)
    best = max if metric.endswith("pearson") else min
    assert len(set(measured.values())) > 3
    assert done.best is not None
    assert (done.best.name, done.best.value) == (metric, best(measured.values()))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (
            '{"text": "good", "scores": {"accuracy": 99, "depth": 1}}\n',
            "test.jsonl line 21: scores.accuracy is 99",
        ),
        ("", "spec.dataset.test: test.jsonl holds the same rows as rows.jsonl of spec.dataset.train"),
    ],
)
def test_what_is_wrong_with_test_rows_is_found_before_the_first_step(
    tmp_path: Path, bert: Path, capsys: pytest.CaptureFixture[str], last: str, said: str
) -> None:
    rows = make_rows(tmp_path / "rows.jsonl", 20)
    test = tmp_path / "test.jsonl"
    test.write_text(rows.read_text() + last)
    assert train(make_recipe(tmp_path, bert, rows, inputs={"test": str(test)})) == 11
    assert said in capsys.readouterr().err
    assert not (tmp_path / "output" / "metrics.jsonl").exists()


def test_an_argument_the_library_does_not_have_is_refused_by_name(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = make_recipe(tmp_path, bert, rows, training={"extraArguments": {"optimizer": "adam"}})
    assert train(recipe) == 10
    assert "spec.training.extraArguments.optimizer: transformers" in capsys.readouterr().err


def test_an_argument_of_the_library_reaches_it(tmp_path: Path, bert: Path, rows: Path) -> None:
    recipe = make_recipe(
        tmp_path, bert, rows, training={"maxSteps": 2, "epochs": None, "extraArguments": {"optim": "sgd"}}
    )
    assert train(recipe) == 0
    assert len(figures(tmp_path / "output")) == 2


@pytest.mark.parametrize(
    "training",
    [
        pytest.param({"compile": True}, marks=pytest.mark.acceptance),
        {"gradientCheckpointing": True},
        {"precision": "BF16"},
    ],
    ids=str,
)
def test_ways_to_save_time_and_memory_reach_the_same_loss(
    tmp_path: Path, bert: Path, rows: Path, training: dict[str, object]
) -> None:
    reached = []
    for name, change in (("plain", {}), ("changed", training)):
        recipe = make_recipe(tmp_path / name, bert, rows, training={"epochs": None, "maxSteps": 4, **change})
        assert train(recipe) == 0
        reached.append(figures(tmp_path / name / "output")[4])
    assert reached[1] == pytest.approx(reached[0], rel=0.05)
