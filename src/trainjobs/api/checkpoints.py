"""When checkpoints are saved, where they go, which are kept, and from which a run goes on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import (
    CheckpointUri,
    Count,
    Endpoint,
    FigureName,
    Name,
    Rule,
    Seconds,
    Section,
    StorageUri,
    Text,
    stays_in_its_place,
)
from trainjobs.api.figure_rules import contradicted
from trainjobs.api.figures import Direction


class KeepBest(Section):
    """Keep the best checkpoints by a metric of validation."""

    count: Annotated[int, Field(ge=1, le=100)] = 1
    """How many."""
    metric: FigureName = "eval_loss"
    """Which metric: `eval_loss`, `eval_pearson`, or `eval_accuracy_pearson` of one dimension where there are
    several. Without held-out rows the default is measured nowhere, and the model
    is the one that training ended with."""
    direction: Direction | None = None
    """Whether lower or higher is better. Known of every figure that trainjobs measures; needed for one that a
    script of your own reports."""

    rules: ClassVar[tuple[Rule, ...]] = (contradicted("Lower"), contradicted("Higher"))


class Storage(Section):
    """Where a run's checkpoints and results are kept."""

    uri: StorageUri | None = None
    """`s3://bucket/prefix`, `pvc://claim/path` or `file:///path`; default is the chart's, and on one machine
    the run's own folder."""
    endpoint: Endpoint | None = None
    """Endpoint of an S3-compatible server other than AWS."""
    region: Text | None = None
    """Region of the bucket."""
    secret_name: Name | None = None
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; not needed with workload identity."""
    ca_config_map_name: Name | None = None
    """ConfigMap whose key `ca.crt` holds the certificate authority of the endpoint."""

    rules: ClassVar[tuple[Rule, ...]] = (
        stays_in_its_place("spec.checkpoints.storage.uri", "uri"),
        Rule(
            "!has(self.endpoint) || !has(self.uri) || self.uri.startsWith('s3://')",
            "spec.checkpoints.storage.endpoint: only s3:// has one; remove it or give an s3:// uri",
        ),
    )


class Resume(Section):
    """From where training goes on when there is something to go on from."""

    type: Literal["Auto", "Never", "From"] = "Auto"
    """Auto: the newest complete checkpoint of this run. Never: from the start. From: the checkpoint of
    `uri`."""
    uri: CheckpointUri | None = None
    """With `From`: the folder of a checkpoint, with its MANIFEST.json."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.uri) == (self.type == 'From')",
            "spec.checkpoints.resume.uri: needed with type From, and only there",
        ),
        stays_in_its_place("spec.checkpoints.resume.uri", "uri"),
    )


class Checkpoints(Section):
    """Saving, keeping and resuming."""

    storage: Storage = Field(default_factory=Storage)
    """Where they go."""
    save_every_steps: Count | None = None
    """Steps between two checkpoints; default is once per epoch."""
    save_every_seconds: Seconds | None = None
    """Longest time between two checkpoints."""
    keep_latest: Annotated[int, Field(ge=1, le=1000)] = 2
    """How many of the newest to keep."""
    keep_best: KeepBest = Field(default_factory=KeepBest)
    """How many of the best to keep; the best one is the run's result."""
    resume: Resume = Field(default_factory=Resume)
    """From where training goes on."""
    on_data_change: Literal["Refuse", "TakeUp"] = "Refuse"
    """When rows of training or validation have changed since the run's newest checkpoint. Refuse:
    fail. TakeUp: go on with the new ones, and keep split and normalization: no row that was learned from is
    validated on."""
