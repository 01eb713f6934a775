"""Training stops when the best model has not been beaten for a while."""

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainjobs.api.checkpoints import KeepBest
from trainjobs.api.figures import Direction
from trainjobs.api.training import EarlyStopping as Options
from trainjobs.core.figures.scores import direction_of


def evaluations_without_progress(values: Sequence[float], *, direction: Direction, min_delta: float) -> int:
    """Return how many of the last values did not beat the best before them by more than `min_delta`."""
    best: float | None = None
    waited = 0
    for value in values:
        gain = 0.0 if best is None else (best - value if direction == "Lower" else value - best)
        if best is None or gain > min_delta:
            best, waited = value, 0
        else:
            waited += 1
    return waited


class EarlyStopping(TrainerCallback):
    """Judges by the history in the trainer's state: a resumed run goes on counting where it was."""

    def __init__(self, options: Options, best: KeepBest) -> None:
        self._options = options
        self._best = best

    def is_over(self, state: TrainerState) -> bool:
        """Whether the history gives no more hope."""
        values = [entry[self._best.metric] for entry in state.log_history if self._best.metric in entry]
        waited = evaluations_without_progress(
            values, direction=direction_of(self._best), min_delta=self._options.min_delta
        )
        return waited >= self._options.patience

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.is_over(state):
            control.should_training_stop = True
            # What stops a run is saved: the step would be lost otherwise.
            control.should_save = True
