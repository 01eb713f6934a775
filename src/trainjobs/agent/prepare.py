"""Everything before training: the claim, the checkpoint to go on from, model and data."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from trainjobs.agent.claim import Claimed, Restorer, claim_and_restore
from trainjobs.agent.fetch import Fetch, Fetched
from trainjobs.agent.options import Options
from trainjobs.agent.status import Status
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.workspace import Workspace
from trainjobs.core.checkpoints.parts import Needs, everything, needed_by
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import Preempted
from trainjobs.storage.checkpoints import CheckpointStore
from trainjobs.storage.settings import StorageSettings

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Prepared:
    """What training needs is here."""

    claimed: Claimed
    inputs: Inputs


def prepare(
    store: CheckpointStore,
    recipe: Recipe,
    options: Options,
    settings: StorageSettings,
    status: Status,
    stop: StopRequests,
) -> Prepared:
    """Claim the attempt and fetch everything, at the same time.

    Raises:
        Preempted: asked to stop meanwhile.
        TrainjobsError: what failed first, named.
    """
    workspace = Workspace(options.workspace)
    restorer = Restorer(
        store,
        options.attempt,
        options.node_rank,
        settings,
        workspace.resume,
        options.pvc_root,
        status.pass_over,
        of_own_training=not recipe.command,
        needs=_needs(recipe, options.node_rank),
    )
    status.enter("Fetching")
    # What an earlier attempt went on from only takes room now.
    shutil.rmtree(workspace.resume, ignore_errors=True)
    fetch = Fetch(recipe, options, settings, status)
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="claim")
    claiming = pool.submit(claim_and_restore, store, recipe, options, restorer, lambda: stop.asked)
    try:
        while not (claiming.done() and fetch.done()):
            if stop.asked:
                raise Preempted("stopped on request before training began")
            if claiming.done() and claiming.exception() is not None:
                break
            if fetch.failed():
                break
            time.sleep(_LOOK_SECONDS)
        # What cannot be fetched is the user's to mend, and says so before a claim that waits in vain.
        if fetch.failed():
            fetch.result()
        claimed = claiming.result()
        fetched = fetch.result()
        return Prepared(claimed, _inputs(fetched, claimed, workspace))
    finally:
        fetch.abandon()
        pool.shutdown(wait=False, cancel_futures=True)


def _needs(recipe: Recipe, node_rank: int) -> Needs:
    """What a node reads of a checkpoint: of DeepSpeed's shards its own; other libraries deal out anew."""
    processes = recipe.processes
    if processes.strategy.type != "DeepSpeed":
        return everything
    return needed_by(range(node_rank * processes.per_node, (node_rank + 1) * processes.per_node))


def _inputs(fetched: Fetched, claimed: Claimed, workspace: Workspace) -> Inputs:
    return Inputs(
        model=str(fetched.model),
        tokenizer=str(fetched.tokenizer),
        train=str(fetched.train),
        eval=str(fetched.eval) if fetched.eval else None,
        test=str(fetched.test) if fetched.test else None,
        output=str(workspace.output),
        resume_from=str(claimed.resume_from) if claimed.resume_from else None,
    )
