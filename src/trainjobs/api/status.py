"""What the operator says of a run."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import FigureName, LongText, Section, Text
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.model_source import RunKind

Number = float


class Condition(Section):
    """One statement about the run, as Kubernetes writes conditions."""

    type: Text
    """What the statement is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Text
    """Why, in one word."""
    message: LongText = ""
    """Why, in a sentence."""
    last_transition_time: datetime
    """When `status` last changed."""
    observed_generation: int | None = None
    """The generation of the run that this was said of."""


class JobReference(Section):
    """The job of the current attempt."""

    name: Text
    """Its name."""
    uid: Text
    """Its UID."""


class Progress(Section):
    """How far training is."""

    step: Annotated[int, Field(ge=0)] = 0
    """Optimiser steps done."""
    total_steps: Annotated[int, Field(ge=0)] = 0
    """Optimiser steps in all."""
    epoch: Number = 0.0
    """Passes over the training rows done."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Steps done of all, in percent."""
    eta_seconds: int | None = None
    """Seconds left at the present rate."""
    tokens_per_second: Number | None = None
    """Tokens trained on per second, over all processes."""
    updated_time: datetime
    """When this was true."""


class Display(Section):
    """Strings for kubectl's columns."""

    progress: Text = ""
    """Percent."""
    step: Text = ""
    """Steps done of all."""
    loss: Text = ""
    """Latest training loss."""
    eta: Text = ""
    """Time left."""
    best: Text = ""
    """Best metric of validation."""
    checkpoint: Text = ""
    """Step of the latest checkpoint."""


class BestMetric(Section):
    """The best value of the metric that chooses checkpoints."""

    name: FigureName
    """Which metric."""
    value: Number
    """Its best value."""
    step: int
    """The step it was measured at."""


class Metrics(Section):
    """Latest and best figures."""

    latest: Annotated[dict[FigureName, Number], Field(max_length=50)] = Field(default_factory=dict)
    """Latest value of each metric."""
    best: BestMetric | None = None
    """Best value of the chosen metric."""


class CheckpointStatus(Section):
    """One complete checkpoint."""

    step: int
    """The step it was saved at."""
    uri: LongText
    """Where it is."""
    time: datetime
    """When it was complete."""


class CheckpointsStatus(Section):
    """Complete checkpoints in storage."""

    latest: CheckpointStatus | None = None
    """The newest."""
    best: CheckpointStatus | None = None
    """The best by the chosen metric."""
    count: int = 0
    """How many there are."""


class DamagedCheckpoint(Section):
    """A checkpoint that was passed over, because it is not what was stored."""

    uri: LongText
    """Where it is."""
    message: LongText
    """What is wrong with it."""


DAMAGED_NAMED = 8
"""Damaged checkpoints that a heartbeat and the status name, the newest."""


class Artifacts(Section):
    """What the run leaves to take home."""

    model: LongText | None = None
    """URI of the model."""
    adapter: LongText | None = None
    """URI of the adapter."""
    report: LongText | None = None
    """URI of the report."""


class DependencyStatus(Section):
    """A run this one starts from, and what it was resolved to when this one started."""

    kind: RunKind
    """Its kind."""
    name: Text
    """Its name."""
    checkpoint: Literal["Best", "Final"] = "Best"
    """Which of its models."""
    uri: LongText
    """The model it was resolved to."""


class StorageStatus(Section):
    """Where the run is stored, and by which names its pods reach it."""

    uri: LongText
    """The run's own folder."""
    endpoint: LongText | None = None
    """Endpoint, where it is not AWS."""
    region: Text | None = None
    """Region of the bucket."""
    secret_name: Text | None = None
    """Secret with the keys."""
    ca_config_map_name: Text | None = None
    """ConfigMap with the certificate authority of the endpoint."""


class FindingStatus(Section):
    """What an experienced colleague would say of the curves."""

    code: Text
    """Which finding."""
    severity: Literal["Info", "Warning", "Critical"]
    """How bad it is."""
    message: LongText
    """What was seen."""
    advice: LongText = ""
    """What to do."""


class FailureStatus(Section):
    """How the last failed attempt ended."""

    reason: Text
    """Why, in one word."""
    exit_code: int | None = None
    """Exit code of the agent."""
    node: Text = ""
    """Where."""
    message: LongText = ""
    """What happened."""
    advice: LongText = ""
    """What to do."""
    last_lines: LongText = ""
    """The last lines of the log."""


class AttemptEnd(Section):
    """The newest attempt that has ended; it is never taken for a running one again."""

    attempt: int
    """Its number."""
    reason: Text
    """Why it ended, in one word."""
    budget: Text = ""
    """What the next attempt counts against: `Restarts`, `InfrastructureRestarts`, or `Waits` where the end is
    waited out."""
    time: datetime
    """When that was seen."""


class RunStatus(Section, Exchanged):
    """What the operator says of a run; conditions are the truth, `phase` is display."""

    beyond: ClassVar[Beyond] = "AllLeftOut"
    unknown: ClassVar[Literal["ignore", "allow"]] = "allow"

    phase: Text = ""
    """One word for a column."""
    conditions: Annotated[
        list[Condition],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = Field(default_factory=list)
    """What holds, and why."""
    attempt: int = 0
    """Number of the current attempt; 0 before the first."""
    restarts: int = 0
    """Restarts after errors of the run."""
    infrastructure_restarts: int = 0
    """Restarts after node loss, preemption and eviction since the last progress."""
    waits: int = 0
    """Attempts since the last progress that ended for what is waited out: a storage that is away; a hub, an
    image or credentials that were there before."""
    reached: Text = ""
    """How far the run has ever come: `Started` (a container ran), `Prepared` (claimed in storage, model and
    data fetched), `Trained` (a step was made). What was there once is waited for when it is missing later."""
    progress_step: int = 0
    """Step of the newest checkpoint when infrastructure restarts and waits were last counted anew."""
    batch_halvings: int = 0
    """How often the batch was halved after running out of memory."""
    start_time: datetime | None = None
    """When the first attempt was created."""
    suspended_seconds: int = 0
    """Time spent suspended, which the deadline does not count."""
    suspend_time: datetime | None = None
    """When the present suspension began."""
    completion_time: datetime | None = None
    """When the run ended."""
    job: JobReference | None = None
    """The job of the current attempt."""
    started_pods: Annotated[list[Text], Field(max_length=1000)] = Field(default_factory=list)
    """By node, the first characters of the UID of the pod that has started there in the current attempt:
    another pod in its place ends the attempt."""
    ended: AttemptEnd | None = None
    """The newest attempt that has ended; the next one follows it."""
    progress: Progress | None = None
    """How far training is."""
    display: Display = Field(default_factory=Display)
    """Strings for kubectl's columns."""
    metrics: Metrics = Field(default_factory=Metrics)
    """Latest and best figures."""
    checkpoints: CheckpointsStatus = Field(default_factory=CheckpointsStatus)
    """Complete checkpoints in storage."""
    damaged_checkpoints: Annotated[list[DamagedCheckpoint], Field(max_length=DAMAGED_NAMED)] = Field(
        default_factory=list
    )
    """Checkpoints that an attempt would have gone on from, and passed over as damaged."""
    artifacts: Artifacts = Field(default_factory=Artifacts)
    """What the run leaves to take home."""
    dependencies: Annotated[list[DependencyStatus], Field(max_length=16)] = Field(default_factory=list)
    """Runs this one starts from, pinned when it started."""
    storage: StorageStatus | None = None
    """Where the run is stored, pinned when it started: another default of the platform changes nothing."""
    findings: Annotated[list[FindingStatus], Field(max_length=32)] = Field(default_factory=list)
    """What an experienced colleague would say of the curves."""
    failure: FailureStatus | None = None
    """How the last failed attempt ended."""
    observed_generation: int | None = None
    """The generation of the run that this status was written for."""

    def document(self) -> dict[str, object]:
        """The status as it is written: with the fields of a newer version that it was read with."""
        known = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {**(self.model_extra or {}), **known}
