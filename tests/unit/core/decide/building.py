"""Short ways to write down what is observed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from trainjobs.api.runs import BY_KIND, Run
from trainjobs.api.status import CheckpointsStatus, CheckpointStatus, Progress, RunStatus
from trainjobs.core.decide import decide
from trainjobs.core.decide.decision import Decision
from trainjobs.core.decide.observed import JobState, Observed, PodState, Termination
from trainjobs.core.reports import FinalRecord, Heartbeat, Outcome, Stage

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
UID = "0f1e2d3c-aaaa"


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def make_run(
    *, policy: Mapping[str, object] | None = None, nodes: int = 1, depends_on: str = "", **spec: object
) -> Run:
    """A RewardModelRun named `scores`."""
    source: dict[str, object] = {"uri": "hf://org/model"}
    if depends_on:
        source = {"fromRun": {"kind": "SFTRun", "name": depends_on}}
    return make_kind(
        "RewardModelRun",
        baseModel=source,
        objective={"type": "Regression", "regression": {"dimensions": [{"name": "quality"}]}},
        topology={"nodes": nodes},
        runPolicy=dict(policy or {}),
        **spec,
    )


def make_kind(kind: str, **spec: object) -> Run:
    return BY_KIND[kind].model_validate(
        {
            "kind": kind,
            "metadata": {"name": "scores", "namespace": "team", "uid": UID},
            "spec": {"dataset": {"train": "s3://data/train.jsonl"}, **spec},
        }
    )


def with_policy(run: Run, **policy: object) -> Run:
    changed = run.spec.run_policy.model_copy(update=policy)
    return run.model_copy(update={"spec": run.spec.model_copy(update={"run_policy": changed})})


def with_status(run: Run, status: RunStatus) -> Run:
    return run.model_copy(update={"status": status})


def job(attempt: int = 1, **changes: object) -> JobState:
    made = JobState(
        name=f"scores-0f1e2-{attempt}", uid=f"job-{attempt}", owner_uid=UID, attempt=attempt, created=START
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def pod(rank: int = 0, attempt: int = 1, **changes: object) -> PodState:
    """A pod that has just been made."""
    made = PodState(
        name=f"scores-0f1e2-{attempt}-worker-{rank}",
        uid=f"pod-{attempt}-{rank}",
        attempt=attempt,
        job_uid=f"job-{attempt}",
        node_rank=rank,
        phase="Pending",
        created=START,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def running(rank: int = 0, attempt: int = 1, **changes: object) -> PodState:
    facts = {"phase": "Running", "node": f"m{rank}", "scheduled": True, "started": START, **changes}
    return pod(rank, attempt, **facts)


def ended(
    exit_code: int,
    reason: str = "",
    rank: int = 0,
    attempt: int = 1,
    *,
    word: str = "",
    finished: datetime = START,
    outcome: Outcome | None = None,
    stage: Stage | None = None,
    **changes: object,
) -> PodState:
    """A pod whose container ended; with `reason`, its agent left a record."""
    record = None
    if reason:
        record = FinalRecord(
            attempt=attempt,
            node_rank=rank,
            exit_code=exit_code,
            reason=reason,
            message=f"says {reason}" if exit_code else "",
            last_lines="the last line",
            outcome=outcome,
            stage=stage,
        )
    return running(
        rank,
        attempt,
        phase="Failed" if exit_code else "Succeeded",
        termination=Termination(exit_code, word or ("Error" if exit_code else "Completed"), finished, record),
        **changes,
    )


def outcome(step: int = 100) -> Outcome:
    return Outcome.model_validate(
        {"step": step, "totalSteps": 100, "artifacts": {"model": "s3://runs/scores/artifacts/model-a0001"}}
    )


def beat(
    seconds: float,
    *,
    step: int = 0,
    stage: Stage = "Training",
    rank: int = 0,
    attempt: int = 1,
    stepped: float | None = None,
    checkpoint: int = 0,
    **changes: object,
) -> Heartbeat:
    """What a node's agent says at `seconds`; `stepped`: when it made its last step."""
    progress = None
    if step:
        progress = Progress(
            step=step,
            total_steps=1000,
            percent=step // 10,
            updated_time=at(seconds if stepped is None else stepped),
        )
    made = Heartbeat(
        run_uid=UID,
        attempt=attempt,
        node_rank=rank,
        stage=stage,
        time=at(seconds),
        progress=progress,
        checkpoints=checkpoints(checkpoint) if checkpoint else CheckpointsStatus(),
    )
    return made.model_copy(update=changes)


def checkpoints(step: int) -> CheckpointsStatus:
    return CheckpointsStatus(
        latest=CheckpointStatus(step=step, uri=f"s3://runs/scores/checkpoints/{step}", time=START), count=1
    )


def onward(observed: Observed, now: datetime) -> Decision:
    """What is decided; where that is only to write down what an attempt starts from, what follows at once."""
    first = decide(observed, now)
    if first.requeue_after != timedelta() or first.stop:
        return first
    then = decide(replace(observed, run=with_status(observed.run, first.status)), now)
    return replace(then, events=(*first.events, *then.events))


def begin(run: Run, seconds: float = 0) -> Run:
    """The run once its first attempt was decided and its job made."""
    made = onward(Observed(run), at(seconds)).status
    return settled(Observed(with_status(run, made), (job(),)), seconds)


def settled(observed: Observed, seconds: float = 0) -> Run:
    """The run with what is decided of `observed`."""
    return with_status(observed.run, onward(observed, at(seconds)).status)


def under_way(run: Run, seconds: float = 0) -> Run:
    """The run once every node of its first attempt runs."""
    pods = tuple(running(rank) for rank in range(run.spec.topology.nodes))
    return settled(Observed(begin(run, seconds), (job(),), pods), seconds)


def condition(status: RunStatus, type_: str) -> tuple[str, str]:
    found = next(one for one in status.conditions if one.type == type_)
    return found.status, found.reason


def reasons(decision: Decision) -> list[str]:
    return [event.reason.value for event in decision.events]
