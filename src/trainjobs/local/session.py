"""Runs of one command: taken in dependency order, each resumed where an earlier command left it."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from trainjobs.api.conditions import ConditionType, Phase
from trainjobs.api.manifest import change_problems
from trainjobs.api.runs import Run
from trainjobs.api.status import RunStatus
from trainjobs.core.decide.decision import Event
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import DependencyState
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.recipe.storage import stored_at
from trainjobs.core.recipe.support import check_support
from trainjobs.core.reports import Heartbeat, Wait
from trainjobs.core.settings import Settings
from trainjobs.core.uris import Scheme, parse_uri
from trainjobs.errors import AccessDenied, InvalidRecipe, StorageUnavailable, TrainjobsError
from trainjobs.local.driver import AllNodesHere, Driver, NodeMaker, Watcher
from trainjobs.local.folder import RunFolder
from trainjobs.local.ordering import in_order
from trainjobs.local.relative import without_links
from trainjobs.local.trackers import check_trackers
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.external import require_checkpoint
from trainjobs.storage.opening import open_store, open_to_read
from trainjobs.storage.settings import StorageSettings

INTERRUPTED = 130
"""Exit code of a command that Ctrl-C ended, as shells know it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the manifests."""

    root: Path = Path("runs")
    devices: int = 0
    """Accelerators of this machine."""
    fresh: bool = False
    """Move what an earlier run of the same name left aside, and begin anew."""
    make_nodes: NodeMaker = field(default_factory=AllNodesHere)


@dataclass(frozen=True, slots=True)
class Result:
    """How one run of the command ended."""

    run: Run
    folder: RunFolder
    exit_code: int
    ran: bool
    """False where it had succeeded before."""


class Unwatched:
    """A watcher that shows nothing."""

    def started(self, run: Run, plan: Plan) -> None:
        """Nothing."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Nothing."""

    def waits(self, wait: Wait) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """Nothing."""


def run_all(runs: Sequence[Run], options: Options, watcher: Watcher) -> Iterator[Result]:
    """Run each of `runs` (with absolute paths) after those it starts from; yield how each ended.

    An interruption ends the whole: what comes after is not begun.

    Raises:
        InvalidRecipe: this version cannot train one of the runs, they wait for each other, or one differs
            from what is under way under its name.
        RunInUse: another program drives one of them.
    """
    check_support(runs)
    for run in in_order(runs):
        result = run_one(run, options, watcher)
        yield result
        if result.exit_code == INTERRUPTED:
            return


def run_one(run: Run, options: Options, watcher: Watcher) -> Result:
    """Run one run to its end, to its suspension by Ctrl-C, or not at all where it had succeeded before."""
    folder = RunFolder.of(options.root, run.kind, run.metadata.name)
    if options.fresh and folder.path.exists():
        with folder.locked():
            folder.move_aside(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    with folder.locked():
        run = _take_up(run, folder, options)
        if run.status.phase == Phase.SUCCEEDED:
            return Result(run, folder, 0, ran=False)
        check_trackers(run)
        folder.save(run)
        settings = settings_for(run, folder, options)
        driver = Driver(
            run,
            folder,
            settings,
            watcher,
            dependencies=lambda: dependencies_of(run, options.root),
            stored_attempt=_stored_attempt(run, settings),
            make_nodes=options.make_nodes,
        )
        with _interruptible(driver) as interrupted:
            run = driver.drive()
        if run.status.phase == Phase.SUCCEEDED:
            folder.put_away(keep_report=stored_at(run, settings).uri.startswith("s3://"))
        return Result(run, folder, exit_code(run, was_interrupted=interrupted()), ran=True)


def check_storage(run: Run, options: Options) -> None:
    """Ask the storage of a run whether it is there, and whether what it is to go on from is a checkpoint.

    Raises:
        AccessDenied, StorageUnavailable: it would not do.
        InvalidRecipe: `resume.uri` names no checkpoint.
    """
    folder = RunFolder.of(options.root, run.kind, run.metadata.name)
    if run.spec.checkpoints.storage.uri is not None:
        _stored_attempt(run, settings_for(run, folder, options))
    resume = run.spec.checkpoints.resume.uri
    if resume is not None and parse_uri(resume).scheme is not Scheme.CLAIM:
        try:
            source = open_to_read(resume, settings=_reached(run))
            require_checkpoint(source, of_own_training=not run.spec.runtime.command)
        except (AccessDenied, InvalidRecipe, StorageUnavailable) as error:
            raise type(error)(f"spec.checkpoints.resume.uri: {error}") from error


def settings_for(run: Run, folder: RunFolder, options: Options) -> Settings:
    """The platform's part on this machine: storage is the run's own folder unless the run names another."""
    own = run.spec.checkpoints.storage.uri is None
    return Settings(
        run_store=folder.store_uri if own else None,
        storage_uri=folder.store_uri if own else None,
        devices_per_node=options.devices,
    )


def dependencies_of(run: Run, root: Path) -> tuple[DependencyState, ...]:
    """The runs that `run` starts from, as their folders under `root` tell."""
    found = []
    for _, reference in references(run):
        other = RunFolder.of(root, reference.kind, reference.name).load()
        found.append(
            DependencyState(
                kind=reference.kind,
                name=reference.name,
                checkpoint=reference.checkpoint,
                uid=other.metadata.uid if other else "",
                status=other.status if other else None,
            )
        )
    return tuple(found)


def exit_code(run: Run, *, was_interrupted: bool) -> int:
    """The command's exit code: 0, the failure's own, or 130 after Ctrl-C."""
    status = run.status
    if status.phase == Phase.SUCCEEDED:
        return 0
    finished = any(c.type == ConditionType.FINISHED and c.status == "True" for c in status.conditions)
    if was_interrupted and not finished:
        return INTERRUPTED
    return (status.failure.exit_code if status.failure else None) or 1


def _take_up(run: Run, folder: RunFolder, options: Options) -> Run:
    """`run` with the identity and status of an earlier command, or as a new one."""
    earlier = folder.load()
    if earlier is None:
        made = {"uid": str(uuid.uuid4()), "creation_timestamp": datetime.now(UTC).replace(microsecond=0)}
        return run.model_copy(update={"metadata": run.metadata.model_copy(update=made)})
    # Two paths to one file mean the same.
    before, after = without_links(earlier), without_links(run)
    changes = change_problems(_at_rest(before), after)
    if changes and _has_begun(earlier, settings_for(earlier, folder, options)):
        raise InvalidRecipe(
            f"{folder.path}: a run of this name exists already, and {changes[0]}; "
            "or add --fresh to move it aside and begin anew"
        )
    metadata = earlier.metadata.model_copy(
        update={"generation": earlier.metadata.generation + (after.spec != before.spec)}
    )
    status = earlier.status
    if changes or status.phase == Phase.FAILED:
        # Asked for again after its failure: a new life with the same checkpoints. The attempt's number
        # goes on, so that nothing written before can be mistaken for what comes now.
        status = RunStatus(attempt=status.attempt)
    return run.model_copy(update={"metadata": metadata, "status": status})


def _at_rest(run: Run) -> Run:
    """`run` as it is while no program drives it: what may change while a run is suspended may change now."""
    policy = run.spec.run_policy.model_copy(update={"suspend": True})
    return run.model_copy(update={"spec": run.spec.model_copy(update={"run_policy": policy})})


def _has_begun(run: Run, settings: Settings) -> bool:
    """Whether earlier commands have left something that a change of the run would contradict.

    A first start that failed has not: who corrects its manifest keeps its name.
    """
    if run.status.attempt == 0:
        return False
    try:
        return run.status.phase == Phase.SUCCEEDED or bool(_store(run, settings).complete())
    except TrainjobsError:
        # What cannot be seen may be there.
        return True


def _stored_attempt(run: Run, settings: Settings) -> int:
    """The newest attempt in storage; one that cannot be used is said before anything starts."""
    return _store(run, settings).newest_attempt()


def _store(run: Run, settings: Settings) -> CheckpointStore:
    return CheckpointStore(open_store(stored_at(run, settings).uri, settings=_reached(run)))


def _reached(run: Run) -> StorageSettings:
    """How the run's storage is reached: the environment, and what the run says of its endpoint."""
    said = run.spec.checkpoints.storage
    environment = StorageSettings.from_environment(os.environ)
    return replace(
        environment, endpoint=said.endpoint or environment.endpoint, region=said.region or environment.region
    )


@contextmanager
def _interruptible(driver: Driver) -> Iterator[Callable[[], bool]]:
    """Ctrl-C (or SIGTERM) suspends the run, a second one ends it at once."""
    count = 0

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count == 1:
            driver.suspend()
        else:
            driver.kill()

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: count > 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
