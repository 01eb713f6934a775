"""The data of the checkpoint that training goes on from, and what of them still holds."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from trainjobs.api.objective import Regression
from trainjobs.core.recipe.model import Recipe
from trainjobs.errors import InvalidData, InvalidRecipe
from trainjobs.ml.data.record import DataRecord, differences
from trainjobs.ml.data.splits import Split
from trainjobs.ml.modeling.scoring_config import Normalization, ScoringConfig

_log = logging.getLogger("trainjobs.training")


@dataclass(frozen=True, slots=True)
class DataBefore:
    """Rows that were learned from never come into validation, and scores keep their scale."""

    record: DataRecord
    scoring: ScoringConfig
    step: int
    own: bool
    """Whether it is a checkpoint of this very run; another run's data may well be others."""

    @classmethod
    def of(cls, checkpoint: Path, step: int, recipe: Recipe) -> Self:
        """Read what a checkpoint carries. CorruptCheckpoint, ModelNotFound."""
        record = DataRecord.load(checkpoint)
        return cls(record, ScoringConfig.load(checkpoint), step, own=record.run == recipe.run.uid)

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

    def normalization(self, regression: Regression) -> Normalization | None:
        """Return the scale that the head has learned; None where the recipe asks for another kind.

        InvalidRecipe when the head's outputs are other dimensions: by their number alone they would fit.
        """
        names = [dimension.name for dimension in regression.dimensions]
        if names != self.scoring.names:
            raise InvalidRecipe(
                f"spec.objective.regression.dimensions: {', '.join(names)}; but the checkpoint of"
                f" spec.checkpoints.resume scores {', '.join(self.scoring.names)}: give these, in this order"
            )
        there = self.scoring.normalization
        if there.kind != regression.normalization:
            _log.warning("scores are normalised anew: %s, not %s", regression.normalization, there.kind)
            return None
        return there
