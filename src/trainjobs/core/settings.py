"""What the platform gives and a manifest need not: the chart's values, or the local program's."""

from typing import Annotated, get_args

from pydantic import Field, JsonValue

from trainjobs.api.base import Endpoint, Name, Section, StorageUri, Text
from trainjobs.api.policy import GangScheduler
from trainjobs.api.runtime import PodTemplate

ACCELERATORS = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/mig-*",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "habana.ai/gaudi",
)
"""Resources of the device plugins of NVIDIA (whole, shared in time, parts), AMD and Intel."""


class Settings(Section):
    """Defaults and permissions of a platform."""

    storage_uri: StorageUri | None = None
    """Default storage of runs that name none."""
    storage_endpoint: Endpoint | None = None
    """Endpoint of the default storage, where it is not AWS."""
    storage_region: Text | None = None
    """Region of the default storage."""
    storage_secret_name: Name | None = None
    """Secret in the run's namespace with keys for the default storage."""
    storage_ca_config_map_name: Name | None = None
    """ConfigMap in the run's namespace with the certificate authority of the default storage."""
    run_store: str | None = None
    """On one machine: the very folder of the run, where it names no storage of its own."""
    image: str = ""
    """Default image of training nodes."""
    status_url: str = ""
    """Where agents report to."""
    status_ca: str = ""
    """Certificate authority of the status server, PEM; empty trusts what the image trusts."""
    status_audience: str = "trainjobs-status"
    """Audience of the token that agents show there."""
    service_accounts: list[str] = Field(default_factory=list)
    """ServiceAccounts that runs of the namespace may name."""
    priority_classes: list[str] = Field(default_factory=lambda: ["*"])
    """PriorityClasses that runs of the namespace may name; `*` for all but those of the system."""
    gang_schedulers: list[GangScheduler] = Field(default_factory=lambda: list(get_args(GangScheduler)))
    """Gang schedulers of the cluster for which the operator may make PodGroups."""
    allowed_pod_labels: list[str] = Field(default_factory=list)
    """Labels that runs may give their pods besides `user.trainjobs.dev/…`; prefixes where they end in `/`."""
    allowed_pod_annotations: list[str] = Field(default_factory=list)
    """Annotations that they may give them, likewise."""
    trust_remote_code: bool = True
    """Whether runs may ask for `baseModel.trustRemoteCode`."""
    grace_seconds: int = 30
    """Between SIGTERM and SIGKILL."""
    node_grace_seconds: Annotated[int, Field(ge=0)] = 120
    """How long a machine that does not answer may come back, before what it ran counts as lost."""
    pod_templates: list[PodTemplate] = Field(default_factory=list)
    """What the platform merges over the planned pod, one after another; trusted (`core.plan.platform`)."""
    pod_security_context: dict[str, JsonValue] | None = None
    """Takes the place of the planned pods' own; None leaves user 1000, as the images expect."""
    env: list[dict[str, JsonValue]] = Field(default_factory=list)
    """Environment of what is planned for a run, as Kubernetes writes it; of one name the last counts."""
    accelerators: list[str] = Field(default_factory=lambda: list(ACCELERATORS))
    """Resources that count as accelerators, one process each; `*` stands for any letters."""
    devices_per_node: int | None = None
    """On one machine: accelerators it has, whatever `spec.resources` asks of a cluster."""
