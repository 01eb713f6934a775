"""The folders of one node, and what an earlier attempt left in them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from trainjobs.core.outputs import CHECKPOINT_PREFIX, DONE, FAILURE, REQUEST


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where everything of one node lies."""

    root: Path

    @property
    def output(self) -> Path:
        """What training writes."""
        return self.root / "output"

    @property
    def resume(self) -> Path:
        """Checkpoints fetched to go on from."""
        return self.root / "resume"

    @property
    def recipe(self) -> Path:
        """What training reads."""
        return self.root / "localised.yaml"

    @property
    def log(self) -> Path:
        """What training prints."""
        return self.root / "node.log"

    @property
    def token(self) -> Path:
        """What training needs to report its progress."""
        return self.root / ".progress-token"

    def clear(self) -> None:
        """Remove what would be taken for this attempt's own: its history and log stay."""
        self.output.mkdir(parents=True, exist_ok=True)
        for name in (DONE, FAILURE, REQUEST):
            (self.output / name).unlink(missing_ok=True)
        for path in self.output.glob(f"{CHECKPOINT_PREFIX}*"):
            shutil.rmtree(path, ignore_errors=True)
