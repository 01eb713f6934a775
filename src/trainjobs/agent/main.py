"""An agent from its first to its last word."""

import logging
import sys
from collections.abc import Sequence

from trainjobs.agent.attempt import Attempt
from trainjobs.agent.logs import set_up_logging
from trainjobs.agent.options import Options, parse_options
from trainjobs.agent.recipe_file import read_recipe
from trainjobs.agent.record import Ending, final_record, write_record
from trainjobs.agent.stop import StopRequests
from trainjobs.core.reports import Stage
from trainjobs.errors import DiskFull, TrainjobsError, UsageError

_log = logging.getLogger(__name__)


def main(arguments: Sequence[str]) -> int:
    """Run one node's part of an attempt; return the exit code that says how it ended (trainjobs.errors)."""
    try:
        options = parse_options(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    set_up_logging(options.log_format)
    stop = StopRequests()
    with stop.on_signals():
        ending, stage = _run(options, stop)
        record = final_record(ending, attempt=options.attempt, node_rank=options.node_rank, stage=stage)
        write_record(record, options.termination_log)
    if ending.error is not None:
        _log.error("%s: %s", record.reason, record.message)
    else:
        _log.info("succeeded")
    return ending.exit_code


def _run(options: Options, stop: StopRequests) -> tuple[Ending, Stage | None]:
    try:
        attempt = Attempt(read_recipe(options.recipe), options, stop)
    except TrainjobsError as error:
        return Ending(error), None
    return _lived(attempt, options), attempt.stage


def _lived(attempt: Attempt, options: Options) -> Ending:
    try:
        return attempt.run()
    except TrainjobsError as error:
        return Ending(error)
    except OSError as error:
        # The workspace itself: everything else names its files through errors of our own.
        where = error.filename or options.workspace
        return Ending(DiskFull(f"{where}: {error.strerror or error}; look at the node's disk"))
