"""Scores are those of a plain forward pass, whatever the batch, and weights come as safetensors only."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.training.scoring.tiny_reward_model import DIMENSIONS, make_reward_model
from trainjobs.api.objective import ScoreDimension
from trainjobs.core.uris import file_uri
from trainjobs.errors import InvalidData, ModelNotFound, TrainjobsError, UsageError
from trainjobs.ml.data.text import DEFAULT_TEMPLATE
from trainjobs.ml.scoring import ReportParts, RewardModel
from trainjobs.ml.scoring.grades import grade
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.opening import open_store

TEXTS = [
    "a",
    "净利率为 12",
    "a longer text, with more words in it. " * 12,
    "abc 9",
    "x" * 90,
    "报告数据 " * 40,
]


def plain_scores(folder: Path, text: str) -> list[float]:
    """One text, no padding, no batch: 0.5 in the head is the middle of the range, 5 wide."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        output = model(**tokenizer(text, return_tensors="pt")).logits[0]
    return [2.5 + 5.0 * float(value) for value in output]


def test_a_run_whose_model_is_elsewhere_says_how_it_comes_here(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(ModelNotFound, match=f"no model here: .* trainjobs pull {tmp_path} brings it"):
        RewardModel.load(tmp_path)


def test_scores_equal_a_plain_forward_pass_of_each_text_alone(model: RewardModel, model_folder: Path) -> None:
    for text, score in zip(TEXTS, model.score(TEXTS, batch_size=4), strict=True):
        expected = plain_scores(model_folder, text)
        assert list(score.raw_scores.values()) == pytest.approx(expected, abs=2e-4)
        held = [min(5.0, max(0.0, value)) for value in expected]
        assert list(score.scores.values()) == pytest.approx(held, abs=2e-4)
        # weights 2, 1, 1
        assert score.overall_score == pytest.approx((2 * held[0] + held[1] + held[2]) / 4, abs=2e-4)
        assert score.grade == grade(score.overall_score / 5)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_neither_batch_size_nor_order_changes_a_score(model: RewardModel, batch_size: int) -> None:
    expected = [score.overall_score for score in model.score(TEXTS, batch_size=6)]
    assert [s.overall_score for s in model.score(TEXTS, batch_size=batch_size)] == pytest.approx(
        expected, abs=1e-4
    )
    backwards = model.score(TEXTS[::-1], batch_size=batch_size)
    assert [s.overall_score for s in backwards[::-1]] == pytest.approx(expected, abs=1e-4)


def test_long_inputs_are_scored_in_windows_in_their_order(
    model: RewardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [score.overall_score for score in model.score(TEXTS)]
    monkeypatch.setattr("trainjobs.ml.scoring.reward_model.WINDOW", 4)
    assert [score.overall_score for score in model.score(TEXTS)] == pytest.approx(expected, abs=1e-4)


def test_no_texts_have_no_scores(model: RewardModel) -> None:
    assert model.score([]) == []


def test_a_text_instead_of_a_list_is_a_mistake_that_is_named(model: RewardModel) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        model.score("one text")


def test_a_report_is_scored_as_its_parts_joined_by_the_template(model: RewardModel) -> None:
    parts = {"system_prompt": "财务分析师", "input_data": {"净利率": 12}, "report": "净利率为 12"}
    joined = DEFAULT_TEMPLATE.format(
        system_prompt="财务分析师", input_data='{\n  "净利率": 12\n}', report="净利率为 12"
    )
    assert model.score_report(**parts).scores == pytest.approx(model.score([joined])[0].scores, abs=1e-5)


def test_what_does_not_fit_is_cut_from_the_input_data_and_counted(model: RewardModel) -> None:
    score = model.score_report(input_data="净" * 5000, report="净利率为 12")
    template = len(DEFAULT_TEMPLATE.format(system_prompt="", input_data="", report="净利率为 12")) + 2
    assert score.truncated_tokens == 5000 + template - 1000
    assert model.score(["a"])[0].truncated_tokens == 0


def test_a_report_that_alone_does_not_fit_is_refused_by_its_place(model: RewardModel) -> None:
    with pytest.raises(
        InvalidData, match=r"^text 2: the report .* are 1,2\d\d tokens, more than maxLength 1,000"
    ):
        model.score([ReportParts(report="short"), ReportParts(report="x" * 1200)])


def test_a_report_is_asked_by_name_by_place_and_as_a_row(model: RewardModel) -> None:
    parts = {"system_prompt": "财务分析师", "input_data": {"净利率": 12}, "report": "净利率为 12"}
    by_name = model.score_report(**parts)
    assert model.score_report("财务分析师", {"净利率": 12}, "净利率为 12") == by_name
    for score in model.score([parts, ReportParts(**parts)]):
        assert score.scores == pytest.approx(by_name.scores, abs=1e-5)
    with pytest.raises(InvalidData, match=r"^report: empty; give score_report\(system_prompt, "):
        model.score_report("净利率为 12")
    with pytest.raises(InvalidData, match=r"^text 2: no column input_data"):
        model.score([parts, {"system_prompt": "a", "report": "b"}])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\ud800", "text 2: the text holds half a character at 1"),
        (
            ReportParts(report="a", input_data={"b": ["\udcff"]}),
            r"text 2: input_data\.b\[0\] holds half a character",
        ),
        (
            ReportParts(report="a", input_data=[float("nan")]),
            r"text 2: input_data\[0\] is nan, which is no number",
        ),
        (ReportParts(report="a", input_data={1, 2}), "text 2: input_data is a set, which JSON does not have"),
        (
            "a" * 5_000_000,
            "text 2: 5,000,000 characters, more than the 4,194,304 that a text",
        ),
    ],
    ids=["half a character", "half a character inside", "no number", "no JSON", "huge"],
)
def test_what_no_tokenizer_can_read_is_refused_by_its_place(
    model: RewardModel, text: str | ReportParts, words: str
) -> None:
    with pytest.raises(InvalidData, match=f"^{words}"):
        model.score(["sound", text])


def test_a_part_that_the_model_learned_without_is_refused(tmp_path: Path) -> None:
    model = RewardModel.load(make_reward_model(tmp_path / "m", parts=["report"]), device="cpu")
    assert model.score_report(report="a") == model.score([{"report": "a"}])[0]
    with pytest.raises(InvalidData, match=r"^text 1: input_data: the model learned without it"):
        model.score_report(input_data={"a": 1}, report="a")
    with pytest.raises(InvalidData, match=r"^text 1: input_data stands here, and not in the"):
        model.score([{"report": "a", "input_data": 1}])


def test_a_text_without_a_token_is_refused_by_its_place(tmp_path: Path) -> None:
    folder = make_reward_model(tmp_path / "m")
    file = folder / "tokenizer.json"
    # As tokenizers of decoders are: they put nothing around a text.
    file.write_text(json.dumps({**json.loads(file.read_text()), "post_processor": None}))
    model = RewardModel.load(folder, device="cpu")
    with pytest.raises(InvalidData, match=r"^text 2: empty; there is nothing to score$"):
        model.score(["a", ""])


def test_dimensions_of_different_ranges_meet_between_0_and_1(tmp_path: Path) -> None:
    dimensions = [ScoreDimension(name="a"), ScoreDimension(name="b", minimum=0, maximum=100)]
    model = RewardModel.load(make_reward_model(tmp_path / "m", dimensions=dimensions))
    score = model.score(["abc"])[0]
    assert score.overall_score == pytest.approx((score.scores["a"] / 5 + score.scores["b"] / 100) / 2)


def test_a_runs_folder_is_as_good_as_the_models(
    model_folder: Path, tmp_path: Path, model: RewardModel
) -> None:
    run = CheckpointStore(open_store(file_uri(tmp_path)))
    run.put_artifact("model", model_folder, step=1, attempt=1)
    assert RewardModel.load(tmp_path).score(["abc"]) == model.score(["abc"])


class Trap:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


def test_weights_that_are_not_safetensors_are_refused_and_never_executed(tmp_path: Path) -> None:
    folder = make_reward_model(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.weight": Trap(tmp_path / "executed")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelNotFound, match="safetensors"):
        RewardModel.load(folder)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "trainjobs.json").unlink(), "trainjobs.json"),
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "trainjobs.json").write_text("{}"), "baseModel: Field required"),
    ],
    ids=["no scoring configuration", "no configuration", "empty scoring configuration"],
)
def test_a_folder_that_is_no_reward_model_is_refused_by_what_is_missing(
    tmp_path: Path, damage: object, words: str
) -> None:
    folder = make_reward_model(tmp_path / "m")
    damage(folder)  # type: ignore[operator]
    with pytest.raises(TrainjobsError, match=words):
        RewardModel.load(folder)


def test_a_folder_that_is_not_there_and_a_device_that_is_not_there(
    model_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFound, match="no such folder"):
        RewardModel.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="device quantum"):
        RewardModel.load(model_folder, device="quantum")


def test_importing_trainjobs_loads_no_torch_and_its_reward_model_is_this_one() -> None:
    program = (
        "import sys, trainjobs; assert 'torch' not in sys.modules; "
        "assert trainjobs.RewardModel.__module__ == 'trainjobs.ml.scoring.reward_model'; "
        "assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_dimensions_of_the_tiny_model_are_those_of_its_configuration(model: RewardModel) -> None:
    assert model.config.names == [dimension.name for dimension in DIMENSIONS]
