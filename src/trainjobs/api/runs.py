"""The four kinds of run."""

from typing import ClassVar, Literal

from pydantic import Field

from trainjobs.api.algorithm import Algorithm
from trainjobs.api.base import Rule, Section
from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.dataset import Dataset
from trainjobs.api.evaluation import Evaluation
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.figure_rules import MEASURED_BY_US, held_out, of_one_dimension, unknown_metric
from trainjobs.api.labels import API_VERSION
from trainjobs.api.metadata import ObjectMeta
from trainjobs.api.model_source import ModelSource
from trainjobs.api.objective import Objective
from trainjobs.api.policy import RunPolicy
from trainjobs.api.runtime import PodTemplate, Runtime, Workspace
from trainjobs.api.status import RunStatus
from trainjobs.api.topology import Resources, Topology
from trainjobs.api.tracking import Tracking
from trainjobs.api.training import Adapter, Training

# What never changes, and what may change while the run is suspended, because no attempt has it in hand.
_FIXED = ("baseModel", "dataset", "adapter", "training", "evaluation")
_FIXED_UNLESS_SUSPENDED = ("topology", "resources", "runtime", "workspace")
_WHILE_ACTIVE = (
    "cannot change while the run is active; set spec.runPolicy.suspend to true first, "
    "change it, and set suspend back, or make a new run"
)
_PLACEMENT = ("queueName", "priorityClassName", "schedulerName", "gangScheduling")


def _transition_rules(*fixed: str) -> tuple[Rule, ...]:
    never = [
        Rule(
            f"self.{field} == oldSelf.{field}",
            f"spec.{field}: cannot change once the run exists; make a new run with another name",
        )
        for field in (*_FIXED, *fixed)
    ]
    suspended = [
        Rule(
            f"self.{field} == oldSelf.{field} || oldSelf.runPolicy.suspend",
            f"spec.{field}: {_WHILE_ACTIVE}",
        )
        for field in _FIXED_UNLESS_SUSPENDED
    ]
    placement = [
        Rule(
            f"(has(self.runPolicy.{field}) == has(oldSelf.runPolicy.{field}) && "
            f"(!has(self.runPolicy.{field}) || self.runPolicy.{field} == oldSelf.runPolicy.{field}))"
            " || oldSelf.runPolicy.suspend",
            f"spec.runPolicy.{field}: {_WHILE_ACTIVE}",
        )
        for field in _PLACEMENT
    ]
    tracking = [
        Rule(
            "self.tracking == oldSelf.tracking || size(self.tracking.trackers) == 0",
            "spec.tracking: can only be turned off once the run exists; "
            "set trackers to [], or make a new run with another name",
        ),
    ]
    storage = [
        Rule(
            "self.checkpoints.storage == oldSelf.checkpoints.storage && "
            "self.checkpoints.resume == oldSelf.checkpoints.resume",
            "spec.checkpoints: storage and resume cannot change once the run exists; "
            "make a new run with another name",
        ),
    ]
    return (*never, *suspended, *placement, *tracking, *storage)


def _common_rules(*fixed: str, known_metrics: str = "false") -> tuple[Rule, ...]:
    """The rules of every kind; arguments as of `_transition_rules` and `unknown_metric`."""
    return (*_transition_rules(*fixed), *held_out(), unknown_metric(known_metrics))


class RunSpec(Section):
    """What every kind of run has."""

    base_model: ModelSource
    """The model that training starts from."""
    dataset: Dataset
    """What the run learns from and is judged on."""
    adapter: Adapter = Field(default_factory=Adapter)
    """How much of the model is trained."""
    training: Training = Field(default_factory=Training)
    """Optimiser, batches, schedule, precision."""
    topology: Topology = Field(default_factory=Topology)
    """Nodes, processes per node, and how they share the work."""
    resources: Resources = Field(default_factory=Resources)
    """Kubernetes resources of one node."""
    checkpoints: Checkpoints = Field(default_factory=Checkpoints)
    """Saving, keeping and resuming."""
    tracking: Tracking = Field(default_factory=Tracking)
    """Experiment trackers."""
    evaluation: Evaluation = Field(default_factory=Evaluation)
    """What is computed when training is over, and what has to be reached."""
    run_policy: RunPolicy = Field(default_factory=RunPolicy)
    """Retries, limits and clean-up."""
    runtime: Runtime = Field(default_factory=Runtime)
    """Image and command."""
    workspace: Workspace = Field(default_factory=Workspace)
    """Scratch space of one node."""
    pod_template: PodTemplate = Field(default_factory=dict)
    """A partial PodTemplateSpec, merged over the planned one by Kubernetes' merge keys and checked against
    the operator's allowlist."""

    rules: ClassVar[tuple[Rule, ...]] = _common_rules()


class RewardModelSpec(RunSpec):
    """A reward model: its objective, and what every run has."""

    objective: Objective
    """What the model learns to predict."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *_common_rules("objective", known_metrics=MEASURED_BY_US),
        of_one_dimension("Lower"),
        of_one_dimension("Higher"),
        Rule(
            "!self.training.packing",
            "spec.training.packing: a score belongs to one text; remove it",
        ),
    )


class SFTSpec(RunSpec):
    """Supervised fine-tuning."""


class RLHFSpec(RunSpec):
    """Learning from preferences or rewards: its algorithm, and what every run has."""

    algorithm: Algorithm
    """How to learn from preferences or rewards."""

    rules: ClassVar[tuple[Rule, ...]] = _common_rules("algorithm")


class PretrainSpec(RunSpec):
    """Continued pretraining on text."""

    objective: Literal["Causal", "Masked"] = "Causal"
    """Causal for decoders, Masked for encoders."""

    rules: ClassVar[tuple[Rule, ...]] = _common_rules("objective")


class Run(Section, Exchanged):
    """A run of any kind, as it stands in a manifest."""

    beyond: ClassVar[Beyond] = "Refused"

    short_name: ClassVar[str]
    plural: ClassVar[str]

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name: give at most 40 lower-case letters, digits and '-', beginning with a letter",
        ),
    )

    api_version: Literal["trainjobs.dev/v1alpha1"] = API_VERSION  # type: ignore[assignment]
    """Always `trainjobs.dev/v1alpha1`."""
    kind: str
    """Which kind of run."""
    metadata: ObjectMeta
    """Name, namespace, labels."""
    spec: RunSpec
    """What is wanted."""
    status: RunStatus = Field(default_factory=RunStatus)
    """What is."""


class RewardModelRun(Run):
    """Trains a reward model: scores of a text, preferences, process rewards."""

    short_name = "rmrun"
    plural = "rewardmodelruns"
    kind: Literal["RewardModelRun"] = "RewardModelRun"
    """RewardModelRun"""
    spec: RewardModelSpec
    """What is wanted."""


class SFTRun(Run):
    """Supervised fine-tuning of a language model."""

    short_name = "sftrun"
    plural = "sftruns"
    kind: Literal["SFTRun"] = "SFTRun"
    """SFTRun"""
    spec: SFTSpec
    """What is wanted."""


class RLHFRun(Run):
    """Trains a policy on preferences or rewards."""

    short_name = "rlhfrun"
    plural = "rlhfruns"
    kind: Literal["RLHFRun"] = "RLHFRun"
    """RLHFRun"""
    spec: RLHFSpec
    """What is wanted."""


class PretrainRun(Run):
    """Continued pretraining of a language model on text."""

    short_name = "cptrun"
    plural = "pretrainruns"
    kind: Literal["PretrainRun"] = "PretrainRun"
    """PretrainRun"""
    spec: PretrainSpec
    """What is wanted."""


KINDS: tuple[type[Run], ...] = (RewardModelRun, SFTRun, RLHFRun, PretrainRun)
BY_KIND: dict[str, type[Run]] = {kind.__name__: kind for kind in KINDS}
