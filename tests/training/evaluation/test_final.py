"""The end of a training: files, thresholds, baselines of the training rows, and a report without torch."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.training.scoring.tiny_reward_model import make_reward_model
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.uris import file_uri
from trainjobs.ml.evaluation.final import judge_scores, leave
from trainjobs.ml.evaluation.results import read_predictions, read_result
from trainjobs.ml.evaluation.thresholds import Judgement
from trainjobs.ml.modeling.cards import RegressionCard
from trainjobs.ml.modeling.scorers import load_scorer
from trainjobs.ml.objectives.protocol import Job
from trainjobs.ml.objectives.regression import RegressionObjective
from trainjobs.ml.scoring import RewardModel

DIMENSIONS = [{"name": name} for name in ("accuracy", "professionalism", "depth_of_analysis")]
Finish = Callable[..., Judgement]


def write_rows(path: Path, count: int, offset: float) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for index in range(count):
            value = (offset + index % 5) / 2
            scores = {"accuracy": value, "professionalism": value, "depth_of_analysis": value}
            text = f"净利率为 {index} " + "ab" * (index % 7 + 1)
            file.write(json.dumps({"text": text, "scores": scores}) + "\n")
    return path


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    """Run the end of a training whose model is the tiny one."""
    model = make_reward_model(tmp_path / "output" / "model", parts=["text"])

    def run(**changes: object) -> Judgement:
        train = write_rows(tmp_path / "train.jsonl", 40, 1)
        document = {
            "run": {"kind": "RewardModelRun", "namespace": "default", "name": "tiny", "uid": "u" * 36},
            "task": "Regression",
            "model": {"uri": "file:///tiny"},
            "dataset": {"train": "file:///train.jsonl", "evalFraction": 0.25},
            "objective": {"type": "Regression", "regression": {"dimensions": DIMENSIONS}},
            "training": {"epochs": 1, "evalBatchSizePerDevice": 4},
            "processes": {"nodes": 1, "perNode": 1},
            "checkpoints": {},
            "evaluation": {"bootstrapSamples": 20},
            "limits": {"startTimeoutSeconds": 60, "hangTimeoutSeconds": 60},
            "store": file_uri(tmp_path / "store"),
            "inputs": {
                "model": str(model),
                "tokenizer": str(model),
                "train": str(train),
                "output": str(tmp_path / "output"),
            },
        }
        for section, values in changes.items():
            document[section] = {**document[section], **values}  # type: ignore[dict-item]
        recipe = Recipe.model_validate(document)
        (tmp_path / "output" / "recipe.yaml").write_text(
            yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True), allow_unicode=True)
        )
        trained = load_scorer(model)
        trained.model.train()
        assert recipe.inputs is not None
        job = Job(recipe, recipe.inputs, trained.tokenizer, trained.model.config, before=None)
        data = RegressionObjective.read(job).data
        verdict = None
        if data.judged is not None:
            assert isinstance(trained.card, RegressionCard)
            verdict = judge_scores(recipe, trained.model, trained.card, data, data.judged)
        figures = leave(tmp_path / "output", verdict)
        assert trained.model.training
        return figures

    return run


def test_the_rows_set_aside_are_judged_and_the_others_make_the_baselines(
    finish: Finish, tmp_path: Path
) -> None:
    figures = finish().metrics
    result = read_result(tmp_path / "output" / "evaluation.json")
    assert (result.data.split, result.data.rows, result.train_rows) == ("eval", 10, 30)
    assert result.metrics == figures
    baselines = json.loads((tmp_path / "output" / "model" / "baselines.json").read_text())
    assert baselines["rows"] == 30
    for name in ("predictions.jsonl", "report.md", "report.html"):
        assert (tmp_path / "output" / name).stat().st_size > 0


def test_predictions_are_the_scores_that_the_library_gives(finish: Finish, tmp_path: Path) -> None:
    test = write_rows(tmp_path / "test.jsonl", 6, 2)
    finish(inputs={"test": str(test)}, dataset={"test": "file:///test.jsonl"})
    rows = read_predictions(tmp_path / "output" / "predictions.jsonl")
    texts = [json.loads(line)["text"] for line in test.read_text(encoding="utf-8").splitlines()]
    scores = RewardModel.load(tmp_path / "output").score(texts)
    for row, score in zip(rows, scores, strict=True):
        assert row.predicted["accuracy"] == pytest.approx(score.scores["accuracy"], abs=1e-4)
        assert row.predicted["overall"] == pytest.approx(score.overall_score, abs=1e-4)
    assert [row.where for row in rows[:2]] == ["test.jsonl line 1", "test.jsonl line 2"]


def test_a_missed_threshold_fails_the_run_after_everything_is_written(finish: Finish, tmp_path: Path) -> None:
    asked = {"thresholds": [{"metric": "overall.mae", "maximum": 0.0001}], "bootstrapSamples": 0}
    judgement = finish(evaluation=asked)
    assert re.search(r"overall\.mae is \S+, \S+ above the maximum 0\.0001", judgement.missed)
    result = read_result(tmp_path / "output" / "evaluation.json")
    assert not result.thresholds[0].passed
    assert "Threshold missed" in (tmp_path / "output" / "report.html").read_text()


def test_without_held_out_rows_there_is_a_report_and_no_evaluation(finish: Finish, tmp_path: Path) -> None:
    assert finish(dataset={"evalFraction": 0.0}).metrics == {}
    assert not (tmp_path / "output" / "evaluation.json").exists()
    assert "No row was held out" in (tmp_path / "output" / "report.html").read_text()


def test_the_report_is_rendered_again_from_files_without_torch(finish: Finish, tmp_path: Path) -> None:
    finish()
    first = (tmp_path / "output" / "report.html").read_text()
    program = (
        "import sys; from pathlib import Path; "
        "from trainjobs.ml.evaluation.report.render import write_report; "
        "write_report(Path(sys.argv[1]), Path(sys.argv[2])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "output", tmp_path / "again"], check=True)
    assert (tmp_path / "again" / "report.html").read_text() == first
