"""The data of the checkpoint that training goes on from, and what of them still holds."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.record import DataRecord, differences
from trainjobs.ml.data.splits import Split
from trainjobs.ml.modeling.cards import Card, load_card

_log = logging.getLogger("trainjobs.training")


@dataclass(frozen=True, slots=True)
class DataBefore:
    """Rows that were learned from never come into validation, and scores keep their scale."""

    record: DataRecord
    card: Card
    step: int
    own: bool
    """Whether it is a checkpoint of this very run; another run's data may well be others."""

    @classmethod
    def of(cls, checkpoint: Path, step: int, recipe: Recipe) -> Self:
        """Read what a checkpoint carries. CorruptCheckpoint, ModelNotFound, InvalidRecipe."""
        record = DataRecord.load(checkpoint)
        return cls(record, _card_of(checkpoint, recipe), step, own=record.run == recipe.run.uid)

    def seed(self, recipe: Recipe) -> int:
        """Return the seed of the rows' places."""
        return self.record.split.seed if self.record.split else recipe.training.seed

    def check(self, files: dict[str, str], recipe: Recipe) -> None:
        """InvalidData when this run's data are not those that it began with, unless it is to take them up."""
        changes = list(differences(self.record.files, files))
        if not changes:
            return
        if not self.own:
            _log.info("goes on from another run's checkpoint with other data")
            return
        if recipe.checkpoints.on_data_change == "TakeUp":
            for change in changes:
                _log.warning("%s since step %d: taken up, no row changes sides", change, self.step)
            return
        more = f", and {len(changes) - 1} more" if len(changes) > 1 else ""
        raise InvalidData(
            f"{changes[0]}{more} since step {self.step} was saved: bring the old data back;"
            " or begin anew, by trainjobs run --fresh or under another name; or set"
            " spec.checkpoints.onDataChange to TakeUp, which goes on with the new data and leaves"
            " every row on the side of the split where it stood"
        )

    def bounds(self, eval_fraction: float) -> Split | None:
        """Return the split that goes on, where there is one."""
        there = self.record.bounds
        if self.own or not eval_fraction:
            return there if self.own else None
        if there is None or not there.validated:
            _log.warning(
                "the checkpoint was trained without a split: it may have learned from rows"
                " that spec.dataset.evalFraction now sets aside"
            )
            return None
        _log.info("the split is the checkpoint's: what it learned from is not validated on")
        return there


def _card_of(checkpoint: Path, recipe: Recipe) -> Card:
    card = load_card(checkpoint)
    if card.type != recipe.task:
        raise InvalidRecipe(
            f"spec.checkpoints.resume: the checkpoint was trained as {card.type}, this run trains"
            f" {recipe.task}: give a checkpoint of such a run, or take its model as spec.baseModel"
        )
    return card
