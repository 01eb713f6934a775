"""How a run is spread over nodes and processes."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import Quantity, Rule, Section, union_rules


class FSDP(Section):
    """Fully sharded data parallel (PyTorch FSDP2)."""

    sharding: Literal["Full", "GradientsAndOptimizer"] = "Full"
    """What is sharded: weights too, or gradients and optimiser state only."""
    cpu_offload: bool = False
    """Keep shards in host memory."""


class DeepSpeed(Section):
    """DeepSpeed ZeRO."""

    stage: Annotated[int, Field(ge=0, le=3)] = 2
    """1 shards optimiser state, 2 gradients too, 3 weights too."""
    offload: Literal["None", "CPU"] = "None"
    """Keep optimiser state (and weights with stage 3) in host memory."""


class Strategy(Section):
    """How processes share the work."""

    type: Literal["DDP", "FSDP", "DeepSpeed"] = "DDP"
    """DDP keeps a copy of the model per process; FSDP and DeepSpeed shard it."""
    fsdp: FSDP | None = None
    """Options of `FSDP`."""
    deep_speed: DeepSpeed | None = None
    """Options of `DeepSpeed`."""

    rules: ClassVar[tuple[Rule, ...]] = union_rules(
        "spec.topology.strategy", {"FSDP": "fsdp", "DeepSpeed": "deepSpeed"}
    )


class Topology(Section):
    """Nodes, processes per node, and how they share the work."""

    nodes: Annotated[int, Field(ge=1, le=1000)] = 1
    """Pods in the cluster, or groups of processes on one machine."""
    processes_per_node: Annotated[int, Field(ge=1, le=64)] | Literal["Auto"] = Field(
        default="Auto", json_schema_extra={"x-kubernetes-int-or-string": True}
    )
    """Processes of one node; Auto is one per accelerator, or one without any."""
    strategy: Strategy = Field(default_factory=Strategy)
    """How processes share the work."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "type(self.processesPerNode) == int || self.processesPerNode == 'Auto'",
            "spec.topology.processesPerNode: give a number from 1 to 64, or Auto",
        ),
    )


class Resources(Section):
    """Kubernetes resources of one node."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(default_factory=dict)
    """What the scheduler sets aside (`cpu`, `memory`, `nvidia.com/gpu`)."""
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] = Field(default_factory=dict)
    """What the node may use at most."""
