"""An agent from its first to its last word."""

import logging
import sys
from collections.abc import Sequence

from trainjobs.agent.log_upload import LogUpload, Printed
from trainjobs.agent.logs import set_up_logging
from trainjobs.agent.options import parse_options
from trainjobs.agent.record import LastWord
from trainjobs.agent.secrets import Secrets
from trainjobs.agent.stop import StopRequests
from trainjobs.agent.work import Work
from trainjobs.errors import UsageError

_log = logging.getLogger(__name__)
# How long a program that is done waits for its log to reach storage.
_LAST_SECONDS, _LAST_SECONDS_OF_A_GRACE = 10.0, 2.0


def main(arguments: Sequence[str]) -> int:
    """Run one node's part of an attempt; return the exit code that says how it ended (trainjobs.errors)."""
    try:
        options = parse_options(arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    printed, secrets = Printed(), Secrets()
    set_up_logging(options.log_format, printed, secrets)
    log = LogUpload(printed, secrets, attempt=options.attempt, node_rank=options.node_rank)
    stop = StopRequests()
    word = LastWord(options.termination_log, secrets, attempt=options.attempt, node_rank=options.node_rank)
    with stop.on_signals():
        work = Work(options, stop, word, log, secrets)
        ending = work.attend()
        record = word.say(ending, work.stage)
    if ending.error is not None:
        _log.error("%s: %s", record.reason, record.message)
    else:
        _log.info("succeeded")
    # After the last word: what is left of a grace may be short.
    log.close(_LAST_SECONDS_OF_A_GRACE if stop.asked else _LAST_SECONDS)
    return ending.exit_code
