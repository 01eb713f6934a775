"""The agent's own log lines."""

import logging

from trainjobs.agent.log_upload import Printed
from trainjobs.log_lines import Form, output_handler


class _Copy(logging.Handler):
    """Keeps every line beside what training prints."""

    def __init__(self, printed: Printed) -> None:
        super().__init__()
        self._printed = printed

    def emit(self, record: logging.LogRecord) -> None:
        self._printed.write(f"{self.format(record)}\n".encode(errors="replace"))


def set_up_logging(form: Form, printed: Printed) -> None:
    """Send this program's log lines to standard output, and keep them."""
    root = logging.getLogger("trainjobs")
    shown, kept = output_handler(form), _Copy(printed)
    kept.setFormatter(shown.formatter)
    root.handlers[:] = [shown, kept]
    root.setLevel(logging.INFO)
    root.propagate = False
