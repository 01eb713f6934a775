"""What a run's nodes are made of: image, workspace, pod."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from trainjobs.api.base import VARIABLE, LongText, Name, Open, Quantity, Section, Text, shape


class EnvVar(Section):
    """One environment variable."""

    name: Annotated[
        str,
        Field(pattern=VARIABLE, max_length=256),
        shape("letters, digits and '_', beginning with a letter or '_'"),
    ]
    """Its name."""
    value: Annotated[str, Field(max_length=4096)]
    """Its value; secrets come by Secret, never here."""


class PullSecret(Section):
    """A Secret with the credentials of a registry."""

    name: Name
    """Its name, in the run's namespace."""


class Runtime(Section):
    """Image and command."""

    image: Text | None = None
    """Image of the run's nodes; default is the chart's."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the image is pulled."""
    image_pull_secrets: Annotated[list[PullSecret], Field(max_length=8)] = Field(default_factory=list)
    """Secrets for private registries, as pods name them: `[{name: registry}]`."""
    service_account_name: Name | None = None
    """ServiceAccount of the run's pods; one that the chart allows for this namespace."""
    command: Annotated[list[LongText], Field(max_length=64)] = Field(default_factory=list)
    """A training script of your own, run by torchrun under the same agent: a Python file, its arguments."""
    env: Annotated[list[EnvVar], Field(max_length=64)] = Field(default_factory=list)
    """Environment of every node: of its training processes, and of what fetches model and data for them."""


class Workspace(Section):
    """Scratch space of one node."""

    size: Quantity = "50Gi"
    """Room for base model, data and checkpoints on their way to storage."""
    storage_class: Text | None = None
    """StorageClass of a volume of its own; default is the node's disk."""
    cache_claim_name: Name | None = None
    """PersistentVolumeClaim that keeps downloads for later runs, those from a hub (`HF_HOME`) among them."""
    shared_memory_size: Quantity = "2Gi"
    """Size of /dev/shm, in memory."""


PodTemplate = Annotated[dict[str, JsonValue], Open(), Field(max_length=16)]
"""A partial PodTemplateSpec."""
