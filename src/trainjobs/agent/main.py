"""An agent from its first to its last word."""

import logging
import sys
import time
from collections.abc import Sequence

from trainjobs.agent.log_upload import LogUpload, Printed
from trainjobs.agent.logs import set_up_logging
from trainjobs.agent.options import parse_options
from trainjobs.agent.record import Ending, LastWord
from trainjobs.agent.secrets import Secrets
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.work import Work
from trainjobs.errors import TrainjobsError, UsageError

_log = logging.getLogger(__name__)
# How long a program that is done waits for its log to reach storage.
_LAST_SECONDS = 10.0


def main(arguments: Sequence[str], stop: StopRequests) -> int:
    """Run one node's part of an attempt; return the exit code that says how it ended (trainjobs.errors).

    Args:
        arguments: of the command line.
        stop: hears signals, then and until the program's end.
    """
    try:
        options = parse_options(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    printed, secrets = Printed(), Secrets()
    set_up_logging(options.log_format, printed, secrets)
    log = LogUpload(printed, secrets, attempt=options.attempt, node_rank=options.node_rank)
    word = LastWord(options.termination_log, secrets, attempt=options.attempt, node_rank=options.node_rank)
    work = Work(options, stop, word, log, secrets)
    try:
        ending = work.attend()
    except Exception as error:  # noqa: BLE001  (a mistake of ours has its record and its place in the stored log)
        _log.exception("the agent itself has failed")
        ending = Ending(TrainjobsError(f"the agent itself has failed: {type(error).__name__}: {error}"))
    record = word.say(ending, work.stage)
    if ending.error is not None:
        _log.error("%s: %s", record.reason, record.message)
    else:
        _log.info("succeeded")
    # After the last word: what is left of a grace may be short.
    ends = time.monotonic() + _LAST_SECONDS
    log.close(lambda: min(ends - time.monotonic(), work.seconds_left()))
    return ending.exit_code
