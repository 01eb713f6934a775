"""What the rules look at. Whatever is not known is None, and no rule guesses it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from trainjobs.core.metrics_history import MetricRecord


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How the model was trained."""

    epochs: float | None = None
    max_steps: int | None = None
    learning_rate: float | None = None
    max_grad_norm: float | None = None
    precision: str | None = None
    data_workers: int | None = None
    adapter_dropout: float | None = None
    """None without an adapter."""
    early_stopping: bool = False
    save_every_steps: int | None = None
    best_metric: str | None = None
    """Which metric chooses the best checkpoint."""
    train_rows: int | None = None
    loss_scale: float = 1.0
    """Loss of a model that knows nothing, in the curves' unit: about 1 for standard scores and pairs."""
    diverged: bool = False
    """Whether training ended because loss or gradient became NaN or infinite."""


@dataclass(frozen=True, slots=True)
class DimensionFacts:
    """What the final evaluation found of one dimension, or of the overall score, in the scale of the rows."""

    name: str
    minimum: float
    maximum: float
    mae: float
    pearson: float | None
    true_mean: float
    true_deviation: float
    predicted_deviation: float
    pearson_interval: tuple[float, float] | None = None
    mean_baseline_mae: float | None = None
    """Error of predicting the training mean."""
    train_mean: float | None = None
    ceiling: float | None = None
    """Best Pearson correlation that the annotators' agreement allows."""


@dataclass(frozen=True, slots=True)
class ScoresFacts:
    """What was found of scores."""

    dimensions: Sequence[DimensionFacts]
    """Without the overall score."""
    overall: DimensionFacts


@dataclass(frozen=True, slots=True)
class EvaluationFacts:
    """What the final evaluation found; of its family one part is there, the others are None."""

    rows: int
    repeated: int | None = None
    """Rows whose text was learned from, too."""
    scores: ScoresFacts | None = None


@dataclass(frozen=True, slots=True)
class TimeFacts:
    """Where the time of training went, in seconds."""

    training: float
    data: float | None = None
    """Waiting for batches."""
    checkpoints: float | None = None
    """Standing still for checkpoints."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known of one training."""

    history: Sequence[MetricRecord] = ()
    training: TrainingFacts = field(default_factory=TrainingFacts)
    evaluation: EvaluationFacts | None = None
    time: TimeFacts | None = None

    @property
    def scores(self) -> ScoresFacts | None:
        """What the final evaluation found of scores, where that is what it judged."""
        return self.evaluation.scores if self.evaluation else None
