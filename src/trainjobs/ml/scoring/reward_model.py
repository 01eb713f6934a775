"""`RewardModel`: what `from trainjobs import RewardModel` gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from trainjobs.core.outputs import MODEL
from trainjobs.errors import InvalidData, ModelNotFound, UsageError
from trainjobs.ml.data.text import Encoded, ReportParts, ScoredText, TextEncoder
from trainjobs.ml.evaluation.overall import OverallScale
from trainjobs.ml.modeling.cards import RegressionCard
from trainjobs.ml.modeling.normalization import to_scores
from trainjobs.ml.modeling.scorers import TrainedModel, load_scorer
from trainjobs.ml.scoring.asking import asked_text
from trainjobs.ml.scoring.grades import Grade, grade
from trainjobs.ml.scoring.prediction import Precision, predict
from trainjobs.storage.artifacts import artifact_here

WINDOW = 4096
"""Texts encoded, sorted and scored together."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a reward model says of one text."""

    scores: Mapping[str, float]
    """Dimension → score in the scale of the rows, never outside the dimension's range."""
    overall_score: float
    """Weighted mean of `scores`: on the dimensions' range where they share one, else from 0 to 1."""
    grade: Grade
    """Letter of the overall score, by the bands of `trainjobs.ml.scoring.grades`."""
    raw_scores: Mapping[str, float] = field(repr=False)
    """`scores` before they were held to their range: what a policy should be rewarded with."""
    truncated_tokens: int = 0
    """Tokens that were cut to fit the model's longest text."""


class RewardModel:
    """A trained reward model, ready to score."""

    def __init__(self, trained: TrainedModel, *, precision: Precision = "Auto") -> None:
        assert isinstance(trained.card, RegressionCard)
        self.config = trained.card
        self.scale = OverallScale.of(self.config.dimensions)
        self.trained = trained
        self._encoder = TextEncoder(trained.tokenizer, self.config.template, self.config.max_length)
        self._precision = precision

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        precision: Precision = "Auto",
        trust_remote_code: bool = False,
    ) -> Self:
        """Load a model from the folder of a run, or from the model's own folder.

        Args:
            path: `runs/rewardmodelrun/NAME`, or the model's own in it, `artifacts/model-a0001`.
            device: `auto` takes an accelerator where there is one; else a name of torch's (`cuda:1`, `cpu`).
            precision: Auto computes in bf16 on an accelerator that can, else in float32.
            trust_remote_code: whether code that came with the model may run.

        Raises:
            ModelNotFound: there is no reward model, or its weights are not safetensors.
            UsageError: the device is not there.
        """
        folder = model_folder(Path(path))
        if not list(folder.glob("*.safetensors")):
            raise ModelNotFound(f"{folder}: no *.safetensors there; weights are loaded in that format only")
        chosen = _device(device)
        trained = load_scorer(folder, trust_remote_code=trust_remote_code)
        trained.model.to(chosen)  # type: ignore[arg-type]
        return cls(trained, precision=precision)

    def score(
        self, texts: Sequence[ScoredText | Mapping[str, object]], *, batch_size: int = 32
    ) -> list[Score]:
        """Score texts, in their order.

        Args:
            texts: each a text on its own, the `ReportParts` of a report, or a row as data files hold it.
            batch_size: texts per forward pass; more needs more memory.

        Raises:
            InvalidData: a text has no token or half a character, a report does not fit into the model even
                with its input data cut, or has a part that the model learned without; names its place.
        """
        if isinstance(texts, str):
            raise TypeError("score() takes a list of texts; write score([text])")
        result: list[Score] = []
        for start in range(0, len(texts), WINDOW):
            window = texts[start : start + WINDOW]
            named = [
                asked_text(one, f"text {place}", self.config) for place, one in enumerate(window, start + 1)
            ]
            result += self._score_window(named, start, batch_size)
        return result

    def score_report(self, system_prompt: str = "", input_data: object = "", report: str = "") -> Score:
        """Score one report, written under `system_prompt` about `input_data` (a text, or a JSON value).

        Raises:
            InvalidData: there is no report, or as `score` raises it.
        """
        if not report.strip():
            raise InvalidData("report: empty; give score_report(system_prompt, input_data, report)")
        parts = ReportParts(system_prompt=system_prompt, input_data=input_data, report=report)
        return self.score([parts])[0]

    def _score_window(self, texts: Sequence[ScoredText], first: int, batch_size: int) -> list[Score]:
        encoded = self._encoder.encode(texts)
        for place, text in enumerate(encoded, first):
            self._check(text, f"text {place + 1}")
        outputs = predict(
            self.trained.model,
            [text.input_ids for text in encoded],
            batch_size=batch_size,
            precision=self._precision,
        )
        raw = to_scores(outputs, self.config.normalization)
        held = hold_to_range(raw, self.config)
        overall = self.scale.overall(held)
        normalized = self.scale.normalized(held)
        names = self.config.names
        return [
            Score(
                scores=dict(zip(names, map(float, held[index]), strict=True)),
                overall_score=float(overall[index]),
                grade=grade(float(normalized[index])),
                raw_scores=dict(zip(names, map(float, raw[index]), strict=True)),
                truncated_tokens=text.cut,
            )
            for index, text in enumerate(encoded)
        ]

    def _check(self, text: Encoded, name: str) -> None:
        if text.fits and not text.input_ids:
            raise InvalidData(f"{name}: empty; there is nothing to score")
        if not text.fits:
            raise InvalidData(f"{name}: {text.excess(self.config.max_length)}; shorten it")


def model_folder(path: Path) -> Path:
    """The model's own folder: `path`, or a run's model or `model` in it.

    Raises:
        ModelNotFound: there is nothing at `path`, or it is a run whose model is not here.
    """
    if not path.is_dir():
        raise ModelNotFound(f"{path}: no such folder; give a run's folder, or the model's")
    inside = path / MODEL
    found = artifact_here(path, MODEL) or (inside if inside.is_dir() else path)
    if found == path and (path / "status.json").is_file():
        raise ModelNotFound(
            f"{path}: this run has no model here: it is not finished, or keeps it in a storage of its own; "
            f"trainjobs pull {path} brings it from there"
        )
    return found


def hold_to_range(scores: npt.NDArray[np.float64], config: RegressionCard) -> npt.NDArray[np.float64]:
    """Scores held to their dimensions' ranges, shape [rows, dimensions] in and out."""
    low = np.array([dimension.minimum for dimension in config.dimensions])
    high = np.array([dimension.maximum for dimension in config.dimensions])
    return np.clip(scores, low, high)


def _device(name: str) -> torch.device:
    if name == "auto":
        current = torch.accelerator.current_accelerator(check_available=True)
        return current if current is not None else torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as problem:
        raise UsageError(f"device {name}: {str(problem).splitlines()[0]}; use auto or cpu") from None
    return device
