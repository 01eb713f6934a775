"""One node's part of one attempt, from the claim to the result."""

import logging
import os
import time
from pathlib import Path

from trainjobs.agent.child import Child
from trainjobs.agent.classify import Evidence, classify, last_lines, read_failure
from trainjobs.agent.destinations import AllParts, OnePart, ScriptPart, Whole
from trainjobs.agent.finish import Delivery, delete_others, read_done, read_result
from trainjobs.agent.heartbeat import Heartbeats
from trainjobs.agent.history import HistoryTail
from trainjobs.agent.launch import meeting_point, plan_launch, until_first_step
from trainjobs.agent.log_upload import LogUpload
from trainjobs.agent.meeting import Meeting, meet
from trainjobs.agent.niceness import yield_to_training
from trainjobs.agent.oom import oom_kills
from trainjobs.agent.options import Options
from trainjobs.agent.prepare import Prepared, prepare
from trainjobs.agent.recipe_file import write_localised
from trainjobs.agent.record import Ending, LastWord, ended_with
from trainjobs.agent.run_store import open_run_store, patient, storage_settings
from trainjobs.agent.secrets import Secrets
from trainjobs.agent.server import AgentServer
from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.stored import fetch_best_weights, retention_of, stored
from trainjobs.agent.supervise import Supervision, TrainingEnd, request
from trainjobs.agent.sync import CheckpointSync
from trainjobs.agent.waiting import Waiting
from trainjobs.agent.workspace import Workspace
from trainjobs.core.outputs import METRICS, Done
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.recipe.support import untrained
from trainjobs.core.reports import Directive, Outcome, Stage
from trainjobs.errors import Hang, InvalidRecipe, Preempted, TrainingError, TrainjobsError
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.settings import StorageSettings

_log = logging.getLogger(__name__)
# How long finished results wait for a storage that is away, before the attempt is given up.
_DELIVERY_SECONDS = 900.0
# How long a training that failed is followed by the upload of what it had saved.
_AFTER_FAILURE_SECONDS = 120.0
# Kept of the grace for the final record, and for the end of the log.
_LAST_WORD_SECONDS = 1.0


class Attempt:
    """Node 0 claims, uploads and writes the result; the other nodes train and report.

    Checkpoints are whole on node 0 with DDP, which saves there. Of sharded ones every node uploads its own
    files, and node 0 writes the manifest when all are there.
    """

    def __init__(
        self,
        recipe: Recipe,
        options: Options,
        stop: StopRequests,
        word: LastWord,
        log: LogUpload,
        secrets: Secrets,
    ) -> None:
        if options.node_rank >= recipe.processes.nodes:
            raise InvalidRecipe(
                f"--node-rank {options.node_rank}: the recipe has {recipe.processes.nodes} node(s)"
            )
        if (why := untrained(recipe)) is not None:
            raise InvalidRecipe(why)
        self._recipe = recipe
        self._options = options
        self._stop = stop
        self._word = word
        self._log_upload = log
        self._secrets = secrets
        self._workspace = Workspace(options.workspace)
        self._status = Status(recipe, attempt=options.attempt, node_rank=options.node_rank)
        self._said_unsupported = False

    @property
    def stage(self) -> Stage:
        """What it is doing, or did last before its end."""
        return self._status.worked_at

    def run(self) -> Ending:
        """Return how it ended.

        Raises:
            TrainjobsError: why it did not come to a training, or why its results did not reach storage.
        """
        self._workspace.root.mkdir(parents=True, exist_ok=True)
        server = AgentServer(
            self._status,
            host=self._options.metrics_host,
            port=self._options.metrics_port,
            token_file=self._workspace.token,
        )
        heartbeats = self._heartbeats()
        try:
            ending = self._work(server)
            self._say(ending)
            return ending
        except TrainjobsError as error:
            self._say(Ending(error))
            raise
        finally:
            # The record is written: a status server that does not answer may take what time is left.
            self._status.enter("Finished")
            if heartbeats is not None:
                heartbeats.close()
            server.close()

    @property
    def grace_seconds(self) -> int:
        """How long it may take to end once it is asked to."""
        return self._recipe.limits.grace_seconds

    def _say(self, ending: Ending) -> None:
        self._word.say(ending, self.stage)

    def _heartbeats(self) -> Heartbeats | None:
        if not self._options.status_url:
            return None
        return Heartbeats(
            self._status,
            self._obey,
            self._secrets,
            url=self._options.status_url,
            ca=self._options.status_ca,
            token=self._options.status_token,
            every_seconds=self._options.heartbeat_seconds,
        )

    def _obey(self, directive: Directive) -> None:
        if directive == "Stop":
            self._stop.ask()
        elif directive == "Checkpoint" and self._status.stage == "Training":
            if not self._recipe.command:
                request(self._workspace.output, "save")
            elif not self._said_unsupported:
                self._said_unsupported = True
                _log.warning("a checkpoint was asked for: a script of your own saves when it chooses")

    def _work(self, server: AgentServer) -> Ending:
        settings = storage_settings(self._recipe, self._options.storage_seconds)
        waiting = patient(settings, Waiting(self._status, self._stop))
        store = self._open(waiting)
        self._log_upload.begin(self._open(settings).store)
        result = store.result()
        if result is not None:
            _log.info("this run has its result already: nothing is trained again")
            return self._finished(self._of_node_0(read_result(result, store)), store)
        prepared = prepare(store, self._recipe, self._options, waiting, self._status, self._stop)
        if self._options.node_rank == 0:
            store.put_recipe(self._options.recipe.read_bytes(), attempt=self._options.attempt)
            keep = retention_of(self._recipe.checkpoints)
            self._status.set_checkpoints(stored(store, keep, uri=self._recipe.store))
            resume = prepared.claimed.resume
            fetch_best_weights(store, resume, keep, self._workspace.resume, self._status.pass_over)
        self._workspace.clear()
        # From here on there is something to do while storage is away.
        store = self._open(settings)
        sync = self._start_sync(store)
        try:
            return self._train(server, prepared, store, sync)
        finally:
            if sync is not None:
                sync.close()

    def _open(self, settings: StorageSettings) -> CheckpointStore:
        return open_run_store(self._recipe, settings, pvc_root=self._options.pvc_root)

    def _start_sync(self, store: CheckpointStore) -> CheckpointSync | None:
        destination = self._destination(store)
        if destination is None:
            return None
        return CheckpointSync(
            store,
            self._recipe.checkpoints,
            self._status,
            destination,
            attempt=self._options.attempt,
            tidy=not self._recipe.command,
        )

    def _destination(self, store: CheckpointStore) -> Whole | None:
        """Where this node's checkpoints go; None where node 0 has all of them.

        What a script of the user's own saves on which node is not known, so all nodes look.
        """
        attempt, node, processes = self._options.attempt, self._options.node_rank, self._recipe.processes
        if not (processes.save_in_parts or (self._recipe.command and processes.nodes > 1)):
            return Whole(store, attempt) if node == 0 else None
        if node == 0:
            return AllParts(store, attempt, processes.nodes)
        if self._recipe.command:
            return ScriptPart(store, attempt, node, self._workspace.output)
        return OnePart(store, attempt, node)

    def _train(
        self, server: AgentServer, prepared: Prepared, store: CheckpointStore, sync: CheckpointSync | None
    ) -> Ending:
        self._status.enter("Launching")
        workspace = self._workspace
        write_localised(self._recipe, prepared.inputs, workspace.recipe)
        place = meeting_point(self._options, self._recipe.processes.nodes)
        company = meet(
            Meeting(self._recipe.run.uid, place, self._recipe.processes.nodes, self._status.wait_for),
            self._stop,
        )
        if sync is not None:
            sync.company = company
        # The time until the first step counts from here.
        self._status.enter("Launching")
        environment = {**os.environ, **server.environment()}
        launch = plan_launch(self._recipe, prepared.inputs, workspace.recipe, place, environment)
        self._status.wait_for(until_first_step(self._recipe, place))
        history = HistoryTail(workspace.output / METRICS, self._options.attempt)
        history.skip()
        kills_before = oom_kills() or 0
        child = Child(launch, workspace.log, self._log_upload.printed, self._secrets, adopts=True)
        yield_to_training()
        supervision = Supervision(
            child, self._recipe, workspace.output, self._status, self._stop, history, sync
        )
        end = supervision.run()
        kills = (oom_kills() or 0) - kills_before
        return self._conclude(end, child, kills, supervision.grace_ends, store, sync)

    def _conclude(
        self,
        end: TrainingEnd,
        child: Child,
        kills: int,
        grace_ends: float | None,
        store: CheckpointStore,
        sync: CheckpointSync | None,
    ) -> Ending:
        self._status.enter("Uploading")
        tail = child.tail()
        done = self._done(end)
        if done is not None:
            return self._finished(self._deliver(done, store, sync), store)
        lines = last_lines(tail)
        match end.why:
            case "Stopped" | "Fenced":
                left = (grace_ends or time.monotonic()) - _LAST_WORD_SECONDS - time.monotonic()
                if sync is not None:
                    self._say(Ending(Preempted(self._stopped_message()), last_lines=lines))
                    # All nodes were asked to stop, and save together what they go on from.
                    sync.drain(max(0.0, left))
                    if sync.fenced is not None:
                        return Ending(sync.fenced)
                return Ending(Preempted(self._stopped_message()), last_lines=lines)
            case "Hung":
                return self._after_failure(Ending(Hang(end.detail), last_lines=lines), sync)
            case "Ended":
                return self._failed(end, tail, kills, sync)

    def _failed(self, end: TrainingEnd, tail: str, kills: int, sync: CheckpointSync | None) -> Ending:
        output = self._workspace.output
        failure = read_failure(output)
        if end.returncode == 0 and failure is None:
            early = TrainingError("training ended with exit code 0 before it was done")
            return self._after_failure(Ending(early, last_lines=last_lines(tail)), sync)
        error = classify(
            Evidence(
                returncode=end.returncode,
                tail=tail,
                failure=failure,
                oom_kills=kills,
                nodes=self._recipe.processes.nodes,
                output=output,
            )
        )
        advice = failure.advice if failure else ""
        return self._after_failure(Ending(error, advice=advice, last_lines=last_lines(tail)), sync)

    def _done(self, end: TrainingEnd) -> Done | None:
        """Return what training reached, or None where it did not come to its planned end."""
        if end.why == "Fenced":
            return None
        # Its own word counts more than its exit code: everything was in place when it said so.
        done = read_done(self._workspace.output)
        if done is not None or end.returncode != 0:
            return done
        # A script that was asked to stop saves and then exits 0, as if it were done.
        if end.why == "Stopped" or not (self._recipe.command or self._options.node_rank > 0):
            return None
        tracker = self._status.tracker()
        saved = self._newest_saved(self._workspace.output)
        return Done(step=max(tracker.step or 0, saved), total_steps=max(tracker.total_steps, saved))

    @staticmethod
    def _newest_saved(output: Path) -> int:
        steps = (path.name.rpartition("-")[2] for path in output.glob("checkpoint-*"))
        return max((int(step) for step in steps if step.isascii() and step.isdigit()), default=0)

    def _deliver(self, done: Done, store: CheckpointStore, sync: CheckpointSync | None) -> Outcome | None:
        if sync is None:
            return None
        deadline = time.monotonic() + _DELIVERY_SECONDS
        sync.drain(_DELIVERY_SECONDS, self._stop)
        if sync.fenced is not None:
            raise sync.fenced
        if self._options.node_rank > 0:
            return None
        delivery = Delivery(
            store,
            self._status,
            self._stop,
            attempt=self._options.attempt,
            workspace=self._workspace.root,
            deadline=deadline,
        )
        return delivery.deliver(self._workspace.output, done, model_required=not self._recipe.command)

    def _finished(self, outcome: Outcome | None, store: CheckpointStore) -> Ending:
        """Say so, before anything that takes time; then delete what the result has made superfluous."""
        ending = ended_with(outcome)
        self._say(ending)
        if outcome is not None:
            delete_others(store)
        return ending

    def _of_node_0(self, outcome: Outcome) -> Outcome | None:
        return outcome if self._options.node_rank == 0 else None

    def _after_failure(self, ending: Ending, sync: CheckpointSync | None) -> Ending:
        """Say how it failed, before anything that takes time; then bring to storage what was saved."""
        self._say(ending)
        if sync is not None and not sync.drain(_AFTER_FAILURE_SECONDS, self._stop):
            _log.warning("not every checkpoint reached storage: %s", sync.last_error)
        return ending

    def _stopped_message(self) -> str:
        latest = self._status.checkpoints.latest
        if latest is None:
            return "stopped on request before the first checkpoint"
        waiting = self._status.sync.pending
        lost = f"; {waiting} newer one(s) did not reach storage in time" if waiting else ""
        return f"stopped on request; saved at step {latest.step} ({latest.uri}){lost}"
