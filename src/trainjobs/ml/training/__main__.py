"""`python -m trainjobs.ml.training RECIPE`: the only way a training starts, and RECIPE all it reads."""

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch.distributed as dist

from trainjobs.core.recipe.support import untrained
from trainjobs.errors import InvalidRecipe, TrainjobsError
from trainjobs.ml.training.failures import classify, write_failure
from trainjobs.ml.training.run import train
from trainjobs.ml.training.session import Session
from trainjobs.printing import survive

_log = logging.getLogger("trainjobs.training")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; return the exit code of `trainjobs.errors`."""
    parser = argparse.ArgumentParser(prog="python -m trainjobs.ml.training", description=__doc__)
    parser.add_argument("recipe", type=Path, help="recipe.yaml with its inputs filled in")
    options = parser.parse_args(arguments)
    try:
        session = Session.open(options.recipe)
    except TrainjobsError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    session.log_to_files()
    try:
        _run(session)
    except BaseException as error:  # noqa: BLE001
        return _end(session, error)
    return 0


def _run(session: Session) -> None:
    session.check_processes()
    if (why := untrained(session.recipe)) is not None:
        raise InvalidRecipe(why)
    train(session)
    _leave_group()


def _leave_group() -> None:
    """Close the group of processes: who ends with it open aborts now and then, as its threads run on."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def _end(session: Session, error: BaseException) -> int:
    """Say what happened: one line, a record, and for what nobody foresaw the trace in the log."""
    known = classify(error)
    if known is not error:
        _log.error("%s", "".join(traceback.format_exception(error)))
    # The disk may be what is broken; the exit code still says it.
    with suppress(OSError):
        write_failure(session.output, known)
    _log.error("%s: %s", known.reason, known)
    sys.stderr.write(f"error: {known}\n")
    return known.exit_code


if __name__ == "__main__":
    survive()
    raise SystemExit(main())
