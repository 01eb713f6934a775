"""The kinds of object that the operator deals in, and where each has its address."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from trainjobs.api.labels import API_VERSION
from trainjobs.api.runs import KINDS
from trainjobs.core.plan.gang import GANGS


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind, all of whose objects live in namespaces."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """Version in the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """Address of an object, or of all of a namespace, or (with None) of the whole cluster."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        steps = ["namespaces", namespace] if namespace is not None else []
        steps += [self.plural, *filter(None, (name, subresource))]
        return "/".join((root, *(quote(step, safe="") for step in steps)))


RUNS: Final = {kind.__name__: Resource(API_VERSION, kind.__name__, kind.plural) for kind in KINDS}
"""The four kinds of run, by kind."""
PYTORCHJOBS: Final = Resource("kubeflow.org/v1", "PyTorchJob", "pytorchjobs")
PODS: Final = Resource("v1", "Pod", "pods")
NETWORK_POLICIES: Final = Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
JOBS: Final = Resource("batch/v1", "Job", "jobs")
EVENTS: Final = Resource("events.k8s.io/v1", "Event", "events")
LEASES: Final = Resource("coordination.k8s.io/v1", "Lease", "leases")
ENDPOINT_SLICES: Final = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
SERVICE_ACCOUNTS: Final = Resource("v1", "ServiceAccount", "serviceaccounts")
POD_GROUPS: Final = {
    scheduler: Resource(gang.api_version, "PodGroup", "podgroups") for scheduler, gang in GANGS.items()
}
"""What gang schedulers go by, by scheduler."""

_CREATED: Final = {
    (one.api_version, one.kind): one
    for one in (
        PYTORCHJOBS,
        NETWORK_POLICIES,
        JOBS,
        EVENTS,
        LEASES,
        ENDPOINT_SLICES,
        *POD_GROUPS.values(),
    )
}


def resource_of(api_version: str, kind: str) -> Resource:
    """The resource that an object to be created belongs to."""
    return _CREATED[api_version, kind]
