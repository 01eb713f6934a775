"""Rules about figures: nobody contradicts their table, or asks for what cannot be measured."""

from typing import Final

from trainjobs.api.base import Rule
from trainjobs.api.figures import ALL, LOSS, VALIDATION, Direction, names

_OWN_SCRIPT: Final = "size(self.runtime.command) > 0"
_HELD_OUT: Final = "has(self.dataset.eval) || self.dataset.evalFraction > 0.0"
_BEST: Final = "self.checkpoints.keepBest"
MEASURED_BY_US: Final = f"(has(self.objective.regression) && !({_OWN_SCRIPT}))"
"""CEL: whether a run's figures are those of named scores, by name, and no other."""


def contradicted(direction: Direction) -> Rule:
    """The rule of `keepBest` that nobody says the opposite of what is known of a figure."""
    figures = names(direction)
    known = ", ".join(f"{VALIDATION}{name}" for name in figures)
    return Rule(
        f"!has(self.direction) || self.direction == '{direction}' || "
        f"!self.metric.matches('^({VALIDATION})?({'|'.join(figures)})$')",
        f"spec.checkpoints.keepBest.direction: of {known} {direction.lower()} is better; "
        "remove it, or choose another metric",
    )


def of_one_dimension(direction: Direction) -> Rule:
    """The same of a figure of one dimension, `eval_accuracy_pearson`: a rule of a reward model's spec."""
    figures = ", ".join(f"'{name}'" for name in names(direction))
    is_one = f"{_BEST}.metric == '{VALIDATION}' + d.name + '_' + f"
    return Rule(
        f"!has(self.objective.regression) || !has({_BEST}.direction) || {_BEST}.direction == '{direction}'"
        f" || !self.objective.regression.dimensions.exists(d, [{figures}].exists(f, {is_one}))",
        f"spec.checkpoints.keepBest.direction: of this metric {direction.lower()} is better; "
        "remove it, or choose another metric",
    )


def unknown_metric(known: str = "false") -> Rule:
    """The rule of a spec that the direction of a metric of one's own is said, unless `known` (CEL) holds."""
    figures = "|".join(kind.name for kind in ALL)
    return Rule(
        f"{known} || has({_BEST}.direction) || {_BEST}.metric.matches('^({VALIDATION})?({figures})$')",
        "spec.checkpoints.keepBest.direction: needed for a metric of your own; give Lower or Higher",
    )


def bounded(direction: Direction, bound: str) -> Rule:
    """The rule that a threshold bounds a figure at the end that is bad."""
    return Rule(
        f"has(self.{bound}) || !self.metric.matches('[.]({'|'.join(names(direction))})$')",
        f"spec.evaluation.thresholds: of this figure {direction.lower()} is better, and without a {bound} "
        f"the worst models pass; give a {bound}",
    )


def held_out() -> tuple[Rule, ...]:
    """The rules that what needs held-out rows has some; a script of one's own holds out its own."""
    needs = (
        ("!has(self.training.earlyStopping)", "spec.training.earlyStopping"),
        ("!has(self.training.evalEverySteps)", "spec.training.evalEverySteps"),
        (f"{_BEST}.metric == '{VALIDATION}{LOSS.name}'", "spec.checkpoints.keepBest.metric"),
    )
    validated = (
        Rule(
            f"{absent} || {_HELD_OUT} || {_OWN_SCRIPT}",
            f"{field}: no row is held out to measure on; "
            "give spec.dataset.eval or evalFraction, or remove it",
        )
        for absent, field in needs
    )
    judged = Rule(
        f"size(self.evaluation.thresholds) == 0 || has(self.dataset.test) || {_HELD_OUT} || {_OWN_SCRIPT}",
        "spec.evaluation.thresholds: no row is held out to judge the model on; "
        "give spec.dataset.test, or remove them",
    )
    return (*validated, judged)
