"""The resolved training configuration: the only thing that agents and training processes read.

A recipe is made from a run by `core.recipe.resolve`; it names models and data by URI. The agent
of a node fetches them and hands its training processes the same recipe with `inputs` filled in.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.algorithm import Algorithm
from trainjobs.api.base import Names, Section
from trainjobs.api.checkpoints import Checkpoints
from trainjobs.api.dataset import Dataset
from trainjobs.api.evaluation import Evaluation
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.model_source import RunKind
from trainjobs.api.objective import Objective
from trainjobs.api.runtime import EnvVar
from trainjobs.api.topology import Strategy
from trainjobs.api.tracking import Tracking
from trainjobs.api.training import Adapter, Training

PROTOCOL = 1
"""Version of recipe and report formats; an operator of version N serves agents of N and N - 1."""

Task = Literal[
    "Regression",
    "Pairwise",
    "Process",
    "LatentProcess",
    "SFT",
    "DPO",
    "PPO",
    "GRPO",
    "KTO",
    "ORPO",
    "RLOO",
    "CausalLM",
    "MaskedLM",
]


class RunIdentity(Section):
    """Which run this is."""

    kind: RunKind
    namespace: str
    name: str
    uid: str


class ResolvedModel(Section):
    """The base model, after `fromRun` was looked up."""

    uri: Annotated[str, Names("Model")]
    tokenizer_uri: Annotated[str, Names("Tokenizer")] | None = None
    trust_remote_code: bool = False


class Processes(Section):
    """How many processes work, and how they share the work."""

    nodes: int = Field(ge=1)
    per_node: int = Field(ge=1)
    strategy: Strategy = Field(default_factory=Strategy)

    @property
    def world_size(self) -> int:
        """Processes in all."""
        return self.nodes * self.per_node

    @property
    def save_in_parts(self) -> bool:
        """Whether every node has a part of a checkpoint, not node 0 all of it."""
        return self.nodes > 1 and self.strategy.type != "DDP"


class Limits(Section):
    """What the agents watch: seconds."""

    start_timeout_seconds: int
    hang_timeout_seconds: int
    grace_seconds: int = 30


class Inputs(Section):
    """Local paths of everything fetched, and where outputs go; absolute."""

    model: str
    tokenizer: str
    train: str
    eval: str | None = None
    test: str | None = None
    output: str
    resume_from: str | None = None
    """Folder of the checkpoint to go on from."""


class Recipe(Section, Exchanged):
    """Everything a training process needs to know."""

    beyond: ClassVar[Beyond] = "Refused"

    protocol: int = PROTOCOL
    run: RunIdentity
    task: Task
    model: ResolvedModel
    dataset: Dataset
    objective: Objective | None = None
    algorithm: Algorithm | None = None
    adapter: Adapter = Field(default_factory=Adapter)
    training: Training
    """With `batch_size_per_device`, `gradient_accumulation_steps`, `eval_batch_size_per_device` and one of
    `epochs` and `max_steps` filled in; `preset` and `global_batch_size` are spent."""
    processes: Processes
    checkpoints: Checkpoints
    tracking: Tracking = Field(default_factory=Tracking)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    limits: Limits
    command: list[str] = Field(default_factory=list)
    """A user's own training script and its arguments; empty runs the library's own training."""
    env: list[EnvVar] = Field(default_factory=list)
    store: str
    """URI of the run's own folder in storage: `<storage>/<namespace>/<kind>/<name>-<uid8>`."""
    inputs: Inputs | None = None

    @property
    def effective_batch_size(self) -> int:
        """Rows per optimiser step: batch × accumulation × processes."""
        batch = self.training.batch_size_per_device or 1
        accumulation = self.training.gradient_accumulation_steps or 1
        return batch * accumulation * self.processes.world_size
