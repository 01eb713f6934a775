"""Attempts that are over are stopped, and the next one waits until nothing of them runs any more."""

from datetime import datetime, timedelta
from typing import Final

from trainjobs.core.decide.attempt import own_jobs, own_pods
from trainjobs.core.decide.decision import StopAttempt
from trainjobs.core.decide.loss import lost_at
from trainjobs.core.decide.observed import JobState, Observed, PodState
from trainjobs.core.reports import Heartbeat

SIDECAR_GRACE: Final = timedelta(seconds=30)
"""How long what else runs in a pod may go on after its agent has ended, before the pod is taken away."""


def stops(
    observed: Observed, now: datetime, *, live: int | None, keep: int
) -> tuple[tuple[StopAttempt, ...], tuple[datetime, ...]]:
    """What has to be stopped, and when to look again at what may end by itself until then.

    Args:
        observed: what is there.
        now: the time.
        live: the attempt that goes on, if one does.
        keep: attempts from this one on are left in place once they have ended by themselves, for their
            logs to be read.
    """
    found, looks = [], []
    for job in own_jobs(observed):
        if job.attempt == live or job.deleted is not None or (job.attempt >= keep and is_over(observed, job)):
            continue
        due = _outlived_at(observed, job) if job.attempt >= keep else None
        if due is None or due <= now:
            found.append(StopAttempt(job.attempt, job.name, job.uid))
        else:
            looks.append(due)
    return (*found, *_orphans(observed)), tuple(looks)


def _orphans(observed: Observed) -> list[StopAttempt]:
    """Pods whose job is gone, and that nobody has told to go."""
    jobs = {job.uid for job in observed.jobs}
    remembered = observed.run.status.job
    found = {}
    for pod in own_pods(observed):
        alone = pod.job_uid not in jobs and pod.deleted is None and pod.ready_lost is None
        if alone and not pod.over:
            name = remembered.name if remembered and remembered.uid == pod.job_uid else ""
            found[pod.job_uid] = StopAttempt(pod.attempt, name, pod.job_uid)
    return list(found.values())


def is_over(observed: Observed, job: JobState) -> bool:
    """Whether the job has ended by itself: none of its pods holds anything, and it makes no new one."""
    return _has_ended(observed, job) and all(pod.over for pod in _pods_of(observed, job))


def _has_ended(observed: Observed, job: JobState) -> bool:
    """Whether nothing trains in the job any more, and it makes no new pod."""
    pods = _pods_of(observed, job)
    ended = {pod.node_rank for pod in pods if pod.ended}
    whole = ended >= set(range(observed.run.spec.topology.nodes))
    return all(pod.ended for pod in pods) and (job.succeeded or job.failed or whole)


def _outlived_at(observed: Observed, job: JobState) -> datetime | None:
    """When the pods of a job whose training is over are taken from what still runs in them; None: at once."""
    if not _has_ended(observed, job):
        return None
    ends = [pod.termination.finished for pod in _pods_of(observed, job) if pod.termination and not pod.over]
    return max(ends) + SIDECAR_GRACE if ends else None


def _pods_of(observed: Observed, job: JobState) -> list[PodState]:
    return [pod for pod in own_pods(observed) if pod.job_uid == job.uid]


def clear_at(observed: Observed, now: datetime) -> datetime | None:
    """When nothing of the attempts so far runs any more; `now` or before: already. None: nobody knows yet.

    A pod counts until its machine says that nothing in it runs any more (a sidecar that outlives the agent
    holds the devices), or until it is lost past its grace.
    """
    if any(job.deleted is None and not is_over(observed, job) for job in own_jobs(observed)):
        return None
    running = [pod for pod in own_pods(observed) if not pod.over]
    times = [lost_at(pod, _last(observed, pod), observed.patience) for pod in running]
    if None in times:
        return None
    return max((when for when in times if when is not None), default=now)


def _last(observed: Observed, pod: PodState) -> Heartbeat | None:
    own = [
        beat
        for beat in observed.heartbeats
        if (beat.run_uid, beat.attempt, beat.node_rank)
        == (observed.run.metadata.uid, pod.attempt, pod.node_rank)
    ]
    return max(own, key=lambda beat: beat.time, default=None)
