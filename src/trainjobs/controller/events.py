"""What kopf watches, and all it does with it: put the key of a run into the queue."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any, Final

import kopf

from trainjobs.api import labels
from trainjobs.api.runs import BY_KIND
from trainjobs.controller.keys import RunKey
from trainjobs.kube.resources import JOBS, PODS, PYTORCHJOBS, RUNS

CHILDREN: Final = (PYTORCHJOBS, PODS, JOBS)
OURS: Final = f"{labels.MANAGED_BY}=trainjobs,{labels.RUN_NAME}"
"""Label selector of what the operator made for runs; the API server applies it."""

Wake = Callable[[RunKey], None]


def watch(registry: kopf.OperatorRegistry, wake: Wake) -> None:
    """Let every event of runs and of what belongs to them wake the run."""

    async def of_run(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401  # kopf's arguments
        meta = body.metadata
        wake(RunKey(str(body["kind"]), str(meta.namespace), str(meta.name)))

    async def of_child(body: kopf.Body, **_: Any) -> None:  # noqa: ANN401
        key = run_of(body.metadata.namespace, body.metadata.labels)
        if key is not None:
            wake(key)

    for resource in RUNS.values():
        kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(of_run)
    for resource in CHILDREN:
        if resource.group:
            kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(of_child)
        else:
            kopf.on.event(resource.version, resource.plural, registry=registry)(of_child)


def run_of(namespace: str | None, names: Any) -> RunKey | None:  # noqa: ANN401  # a mapping of kopf's
    """The run that an object was made for, by its labels."""
    kind, name = names.get(labels.RUN_KIND), names.get(labels.RUN_NAME)
    if namespace is None or kind not in BY_KIND or not name:
        return None
    return RunKey(kind, namespace, name)


class _Patience:
    """Ever longer pauses between tries, without an end."""

    def __iter__(self) -> Iterator[float]:
        return chain((1.0, 1.0, 2.0, 3.0, 5.0), repeat(8.0))


def log_in(registry: kopf.OperatorRegistry) -> None:
    """Let kopf use the credentials that everything else here uses: a kubeconfig, else the pod's."""

    async def log_in(**arguments: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401
        return kopf.login_with_kubeconfig(**arguments) or kopf.login_with_service_account(**arguments)

    kopf.on.login(registry=registry)(log_in)


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up for this: time limits, what is watched, and nothing written to any object."""
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    # An API server may be away for long; kopf would end after the last of these.
    settings.networking.error_backoffs = _Patience()
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    for resource in CHILDREN:
        names = (
            (resource.group, resource.version, resource.plural)
            if resource.group
            else (resource.version, resource.plural)
        )
        settings.watching.label_selectors[names] = OURS
    # No kind appears or goes while this runs: without PyTorchJobs the operator waits and starts anew.
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.persistence.finalizer = f"{labels.GROUP}/kopf-unused"
    prefix = f"kopf.{labels.GROUP}"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=prefix)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=prefix)
    # A second signal, or a task that does not end, must not keep the lease from being given back.
    settings.process.ultimate_exiting_timeout = 60
