"""Runs in a cluster, read as the person who asks."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from trainjobs.api.status import RunStatus
from trainjobs.cli.run_names import Access, RunName
from trainjobs.controller.reading import read_status
from trainjobs.core.plan.objects import child, text
from trainjobs.errors import AccessDenied, UsageError
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import Forbidden, KubeError
from trainjobs.kube.kubeconfig import connect_person
from trainjobs.kube.resources import RUNS

_RUNS_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """A run as the cluster knows it."""

    uid: str
    status: RunStatus


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the runs of one namespace."""

    kube: Kube
    namespace: str

    async def run(self, name: RunName) -> ClusterRun:
        """Read one run.

        Raises:
            UsageError: it is not there, or the cluster does not answer; says what is.
            AccessDenied: it may not be read.
        """
        resource, what = RUNS[name.kind], f"{name} in namespace {self.namespace}"
        with told(what):
            found = await self.kube.find(resource, self.namespace, name.name)
            if found is not None:
                return ClusterRun(text(child(found, "metadata"), "uid"), read_status(found))
            if not await self.kube.serves(resource, self.namespace):
                raise UsageError(
                    f"{what}: the cluster does not know {resource.plural}.{resource.group}; "
                    "choose another by --context"
                )
            there = await self.kube.list_all(resource, self.namespace, part="Metadata")
        names = sorted(text(child(one, "metadata"), "name") for one in there)
        said = f"it has {', '.join(names[:_RUNS_NAMED])}" if names else "it has none; give another by -n"
        raise UsageError(f"{what}: there is no such run; {said}")


@asynccontextmanager
async def reading(access: Access) -> AsyncIterator[Reader]:
    """Read a cluster's runs as the person who asks.

    Raises:
        UsageError: there is no way to a cluster.
    """
    kubeconfig = None if access.kubeconfig is None else str(access.kubeconfig)
    api, usual = await connect_person(kubeconfig, access.context)
    kube = Kube(api)
    try:
        yield Reader(kube, access.namespace or usual)
    finally:
        await kube.close()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say by one line what a cluster does not do.

    Raises:
        AccessDenied: it is not allowed.
        UsageError: the cluster does not answer, or not so.
    """
    try:
        yield
    except KubeError as error:
        raise as_told(what, error) from error


def as_told(what: str, error: KubeError) -> AccessDenied | UsageError:
    """The error of ours that a cluster's is to a person."""
    said = " ".join(error.said.split())
    if isinstance(error, Forbidden):
        return AccessDenied(f"{what}: the cluster does not allow it ({said}); ask for the right, or use -n")
    return UsageError(f"{what}: the cluster does not answer ({said}); choose it by --kubeconfig, --context")
