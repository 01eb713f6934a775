"""What a training process leaves in its output folder, by name: its contract with the agent beside it.

Rank 0 writes; every file appears whole (written aside, then renamed).
"""

from typing import Final

from pydantic import Field

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Exchanged
from trainjobs.api.status import BestMetric

CHECKPOINT_PREFIX: Final = "checkpoint-"
"""Folders `checkpoint-<step>`; the library's own training renames them into place when they are whole."""
EXTERNAL: Final = "external"
"""The folder of a checkpoint that `spec.checkpoints.resume.uri` names, fetched."""
SAVED_MARK: Final = "trainjobs-saved.json"
"""In a checkpoint's folder: `SavedMark`. A user's own script leaves none; then a folder counts as whole when
it holds `trainer_state.json` and has stopped changing."""
WEIGHT_SHARDS: Final = "weights"
"""In a checkpoint of FSDP: folder of the trained weights, a file for each process that saved it."""
OPTIMIZER_SHARDS: Final = "optimizer"
"""The same of the optimiser's state."""
REQUEST: Final = "request"
"""The agent's wish, one word: `save` (save and go on; the process removes the file) or `stop` (save and
end)."""
FAILURE: Final = "failure.json"
"""`Failure`: how training failed, where it failed knowingly."""
DONE: Final = "done.json"
"""`Done`: training ended as planned, and everything below is in place."""
METRICS: Final = "metrics.jsonl"
"""One `core.metrics_history.MetricRecord` a line, appended; a resumed run goes on after its resume step."""
MODEL: Final = "model"
"""Folder of the result in Hugging Face format: loads with `from_pretrained`."""
ADAPTER: Final = "adapter"
"""Folder of a trained adapter by itself, where one was trained; `model/` holds it merged."""
LOG: Final = "training.log"
TRACKING: Final = "tracking"
"""Folder of what the trackers write on this machine, one folder each; it goes with the report."""
STATS: Final = "training_stats.json"
EVALUATION: Final = "evaluation.json"
PREDICTIONS: Final = "predictions.jsonl"
ENVIRONMENT: Final = "environment.json"
RECIPE: Final = "recipe.yaml"
REPORT_MARKDOWN: Final = "report.md"
REPORT_HTML: Final = "report.html"

REPORT_FILES: Final = (
    REPORT_HTML,
    REPORT_MARKDOWN,
    EVALUATION,
    PREDICTIONS,
    METRICS,
    STATS,
    ENVIRONMENT,
    RECIPE,
    LOG,
)
"""What goes to storage as the artifact `report`, as far as it is there."""


class SavedMark(Section, Exchanged):
    """Written last into a checkpoint's folder."""

    step: int = Field(ge=0)
    epoch: float = Field(ge=0.0)
    metrics: dict[str, float] = Field(default_factory=dict)
    """Latest validation figures at or before this step, `eval_…`; only those measured at this very step
    count for choosing the best."""
    blocked_seconds: float = 0.0
    """How long training stood still for this save, staging included."""
    processes: int = 1
    """How many processes saved it together, on all nodes."""


class Failure(Section, Exchanged):
    """How training failed."""

    reason: str
    """Reason of an error of trainjobs.errors."""
    message: str
    advice: str = ""


class Done(Section, Exchanged):
    """How training ended."""

    step: int
    total_steps: int
    metrics: dict[str, float] = Field(default_factory=dict)
    """Latest figures, and the final evaluation's under its own names (`overall.pearson`)."""
    best: BestMetric | None = None
    """The best checkpoint, whose weights `model/` holds."""
    missed: str = ""
    """Which threshold of the evaluation was missed; then the run fails, with everything in place."""
