"""`training_stats.json`: what a training took and yielded, in documented fields."""

from pydantic import Field

from trainjobs.api.base import Section
from trainjobs.api.status import BestMetric


class AnnotatorAgreement(Section):
    """How far the annotators of one dimension agree."""

    rows: int
    """Rows that several annotators scored."""
    ratings_per_row: float
    """Mean number of annotators of these rows."""
    pearson: float | None = None
    """One annotator against the mean of the others of the row."""
    mae: float | None = None
    """Mean absolute difference of one annotator from the mean of the others."""
    reliability: float | None = None
    """Share of the variance of the mean scores that is not noise (ICC(1,k))."""
    ceiling: float | None = None
    """The correlation that a perfect model would reach against the mean scores."""


class TrainingStats(Section):
    """Figures of one training, the resumed parts included unless said otherwise."""

    steps: int
    """Optimiser steps done."""
    total_steps: int
    """Optimiser steps planned."""
    epochs: float
    """Passes over the training rows done."""
    train_rows: int
    """Rows to learn from."""
    eval_rows: int
    """Rows to validate on."""
    samples: int
    """Rows learned from, counted once per pass."""
    tokens: int
    """Tokens learned from, without padding."""
    seconds: float
    """Time from the first to the last step of this process, validation and saving included."""
    resumed_from_step: int | None = None
    """The step that this process went on from."""
    average_loss: float | None = None
    """Mean training loss of all steps."""
    best_loss: float | None = None
    """Lowest mean training loss of any logged stretch of steps."""
    last_loss: float | None = None
    """Mean training loss of the last logged stretch."""
    loss_per_epoch: list[float] = Field(default_factory=list)
    """Mean training loss of each complete epoch."""
    best: BestMetric | None = None
    """Best value of `spec.checkpoints.keepBest.metric`; its checkpoint is the result."""
    effective_batch_size: int
    """Rows per optimiser step: batch × accumulation × processes."""
    batch_size_per_device: int
    """Rows that one process takes at once."""
    gradient_accumulation_steps: int
    """How often it does so per optimiser step."""
    processes: int
    """Training processes of all nodes."""
    precision: str
    """Arithmetic used: FP32, BF16 or FP16."""
    parameters: int
    """Numbers in the model."""
    trainable_parameters: int
    """Of these, the ones that were trained."""
    max_length: int
    """Longest text in tokens that the model was given."""
    rows_cut: int
    """Rows longer than that, cut."""
    tokens_cut: int
    """Tokens cut from them."""
    rows_dropped: int
    """Rows longer than that, left out."""
    eval_rows_repeated: int
    """Rows to validate on whose text is learned from, too."""
    checkpoints: list[int] = Field(default_factory=list)
    """Steps of the checkpoints that this process saved."""
    checkpoints_failed: dict[int, str] = Field(default_factory=dict)
    """Step → why its checkpoint could not be saved."""
    blocked_seconds: float
    """How long this process's training stood still for checkpoints, staging included."""
    annotators: dict[str, AnnotatorAgreement] = Field(default_factory=dict)
    """Dimension → agreement of its annotators, where rows have several."""
    device: str
    """What it was trained on."""
    versions: dict[str, str]
    """Of the libraries."""
