"""When figures are logged, the model validated, checkpoints saved, and a training stopped from outside."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainjobs.ml.training.control import Control, StopAsked, Wish
from trainjobs.ml.training.steps import Steps


class Cadence(TrainerCallback):
    """Decides after every step, the same on every process.

    All that is due after a step happens before the next one and in one order: log, validate,
    save. So a checkpoint knows the figures of its step, and a resumed run owes nothing.
    """

    def __init__(self, steps: Steps, control: Control, *, validates: bool) -> None:
        self._steps = steps
        self._control = control
        self._validates = validates
        self.stopped = False
        """Whether training ended because it was asked to."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        wish = self._control.agree()
        step = state.global_step
        self.stopped = wish is Wish.STOP
        control.should_save = self._steps.save_due(step) or wish >= Wish.SAVE
        control.should_log = self._steps.log_due(step) or control.should_save
        # A stop is granted at once: there may be only seconds for the checkpoint.
        control.should_evaluate = self._validates and self._steps.eval_due(step) and not self.stopped
        control.should_training_stop = self.stopped or step >= self._steps.total

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._control.agree() is Wish.STOP:
            self.stopped = True
            raise StopAsked

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._control.saved()
