"""What a family of figures has to say of itself, for reports, tables and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from trainjobs.api.figures import FigureKind
from trainjobs.core.diagnosis import EvaluationFacts, Finding
from trainjobs.ml.evaluation.report.blocks import Examples, Gallery
from trainjobs.ml.evaluation.results import EvaluationResult, Group
from trainjobs.ml.evaluation.run_files import RunFiles

Tone = Literal["Good", "Fair", "Poor", "Open"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the model can be used, and why."""

    tone: Tone
    word: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Other:
    """What a model is compared with."""

    title: str
    short: str
    """For narrow tables."""


class Family(Protocol):
    """One family of figures."""

    @property
    def kinds(self) -> Sequence[FigureKind]:
        """The figures, in the order of every table."""

    @property
    def others(self) -> Mapping[str, Other]:
        """What models are compared with, by its name in `Group.compared`, in the order of every table."""

    def about(self, result: EvaluationResult, group: Group) -> str:
        """Return what has to be known of a group beside its name, or nothing."""

    def ceiling(self, result: EvaluationResult, group: Group) -> str:
        """Return the highest first figure that any model could reach, or nothing."""

    def verdict(self, result: EvaluationResult, findings: Sequence[Finding]) -> Verdict:
        """Say in a sentence what the figures come to, where no threshold was missed."""

    def notes(self, result: EvaluationResult) -> str:
        """Return sentences on the judged rows."""

    def gallery(self, files: RunFiles, result: EvaluationResult) -> Gallery | None:
        """Return pictures of what the model predicted."""

    def examples(self, files: RunFiles) -> Examples | None:
        """Return rows that are worth looking at."""

    def facts(self, files: RunFiles, result: EvaluationResult) -> EvaluationFacts:
        """Return what the rules of diagnosis look at."""

    def loss_scale(self, files: RunFiles, result: EvaluationResult) -> float:
        """Return the loss of a model that knows nothing, in the unit of the curves."""
