"""Attempts that are over are stopped, and the next one waits until nothing of them runs any more."""

from datetime import datetime

from trainjobs.core.decide.attempt import own_jobs, own_pods
from trainjobs.core.decide.decision import StopAttempt
from trainjobs.core.decide.loss import lost_at
from trainjobs.core.decide.observed import JobState, Observed, PodState
from trainjobs.core.reports import Heartbeat


def stops(observed: Observed, *, live: int | None, keep: int) -> tuple[StopAttempt, ...]:
    """What has to be stopped.

    Args:
        observed: what is there.
        live: the attempt that goes on, if one does.
        keep: attempts from this one on are left in place once they have ended by themselves, for their
            logs to be read.
    """
    found = [
        StopAttempt(job.attempt, job.name, job.uid)
        for job in own_jobs(observed)
        if job.attempt != live and job.deleted is None and (job.attempt < keep or not is_over(observed, job))
    ]
    return (*found, *_orphans(observed))


def _orphans(observed: Observed) -> list[StopAttempt]:
    """Pods whose job is gone, and that nobody has told to go."""
    jobs = {job.uid for job in observed.jobs}
    remembered = observed.run.status.job
    found = {}
    for pod in own_pods(observed):
        alone = pod.job_uid not in jobs and pod.deleted is None and pod.ready_lost is None
        if alone and not pod.terminal:
            name = remembered.name if remembered and remembered.uid == pod.job_uid else ""
            found[pod.job_uid] = StopAttempt(pod.attempt, name, pod.job_uid)
    return list(found.values())


def is_over(observed: Observed, job: JobState) -> bool:
    """Whether the job has ended by itself: it has no running pod, and makes no new one."""
    pods = [pod for pod in own_pods(observed) if pod.job_uid == job.uid]
    ended = {pod.node_rank for pod in pods if pod.terminal}
    whole = ended >= set(range(observed.run.spec.topology.nodes))
    return all(pod.terminal for pod in pods) and (job.succeeded or job.failed or whole)


def clear_at(observed: Observed, now: datetime) -> datetime | None:
    """When nothing of the attempts so far runs any more; `now` or before: already. None: nobody knows yet.

    A pod counts until its machine says that it has ended, or until it is lost past its grace.
    """
    if any(job.deleted is None and not is_over(observed, job) for job in own_jobs(observed)):
        return None
    running = [pod for pod in own_pods(observed) if not pod.terminal]
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
