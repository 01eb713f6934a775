"""The agent's own log lines."""

import logging

from trainjobs.agent.log_upload import Printed
from trainjobs.agent.secrets import Secrets
from trainjobs.log_lines import Form, output_handler


class _Hidden(logging.Formatter):
    """A line as another formatter writes it, without secrets."""

    def __init__(self, form: logging.Formatter, secrets: Secrets) -> None:
        super().__init__()
        self._form = form
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.hide(self._form.format(record))


class _Copy(logging.Handler):
    """Keeps every line beside what training prints."""

    def __init__(self, printed: Printed) -> None:
        super().__init__()
        self._printed = printed

    def emit(self, record: logging.LogRecord) -> None:
        self._printed.write(f"{self.format(record)}\n".encode(errors="replace"))


def set_up_logging(form: Form, printed: Printed, secrets: Secrets) -> None:
    """Send this program's log lines to standard output, and keep them; without secrets."""
    root = logging.getLogger("trainjobs")
    shown, kept = output_handler(form), _Copy(printed)
    assert shown.formatter is not None, "a form is a formatter"
    hidden = _Hidden(shown.formatter, secrets)
    shown.setFormatter(hidden)
    kept.setFormatter(hidden)
    root.handlers[:] = [shown, kept]
    root.setLevel(logging.INFO)
    root.propagate = False
