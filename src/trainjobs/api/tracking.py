"""Where a run's metrics are sent besides its own files."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import Name, Rule, Section, Text


class Tracker(Section):
    """One experiment tracker."""

    type: Literal["TensorBoard", "WandB", "SwanLab", "MLflow"]
    """Which tracker."""
    project: Text | None = None
    """Project, or MLflow's experiment."""
    entity: Text | None = None
    """WandB's entity, or SwanLab's workspace."""
    run_name: Text | None = None
    """Name shown; default is the run's own."""
    mode: Literal["Online", "Offline", "Disabled"] = "Online"
    """Online sends. Offline writes files only, kept with the report below `tracking/`, to be sent by the
    tracker's own command (`wandb sync`, `swanlab sync`). Disabled does nothing."""
    uri: Text | None = None
    """Address of a server of your own; MLflow without one writes files, as Offline does."""
    secret_name: Name | None = None
    """Secret whose keys become environment variables (WANDB_API_KEY, SWANLAB_API_KEY, …)."""


class Tracking(Section):
    """Experiment trackers."""

    trackers: Annotated[list[Tracker], Field(max_length=4)] = Field(default_factory=list)
    """Each type at most once."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.trackers.all(t, self.trackers.exists_one(u, u.type == t.type))",
            "spec.tracking.trackers: a type stands twice; keep one of each",
        ),
    )
