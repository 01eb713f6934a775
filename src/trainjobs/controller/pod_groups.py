"""PodGroups of attempts: what is said where they cannot be made, and how they go with their attempt."""

import logging

from trainjobs.api.runs import Run
from trainjobs.controller.observing import controller_uid
from trainjobs.core.plan.gang import GANGS
from trainjobs.core.plan.objects import child, text
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import Conflict, Denied, Forbidden, NotFound
from trainjobs.kube.resources import POD_GROUPS, Resource

_log = logging.getLogger(__name__)


async def delete_pod_group(kube: Kube, run: Run, job_name: str) -> None:
    """Delete the PodGroup of an attempt of the run, where it has one."""
    asked = run.spec.run_policy.gang_scheduling
    if asked is None or not job_name:
        return
    resource, namespace = POD_GROUPS[asked.scheduler], run.metadata.namespace
    try:
        there = await kube.find(resource, namespace, job_name)
        if there is not None and controller_uid(there) == run.metadata.uid:
            uid = text(child(there, "metadata"), "uid")
            await kube.delete(resource, namespace, job_name, uid=uid, propagation="Background")
    except (NotFound, Conflict):
        _log.info("PodGroup %s/%s is gone already", namespace, job_name)
    except Forbidden as error:
        # A right that was taken back holds nothing else up.
        _log.warning("PodGroup %s/%s stays until its run goes: %s", namespace, job_name, error)


def explained(resource: Resource, error: Forbidden | NotFound) -> Forbidden | NotFound:
    """The API server's error, with what to do where a gang scheduler is missing, or the right for it."""
    scheduler = next((name for name, known in POD_GROUPS.items() if known == resource), None)
    if scheduler is None or isinstance(error, Denied):
        return error
    if isinstance(error, NotFound):
        return NotFound(
            str(error),
            f"the cluster knows no PodGroups of {resource.api_version}; install {GANGS[scheduler].project}, "
            "or suspend the run, change spec.runPolicy.gangScheduling, and resume it",
        )
    if "cannot create resource" not in error.said:
        return error
    given = f"the operator's chart gives this right by gangSchedulers: [{scheduler}]"
    return Forbidden(str(error), f"{error.said}; {given}")
