"""The agent's own log lines."""

import logging

from trainjobs.log_lines import Form, output_handler


def set_up_logging(form: Form) -> None:
    """Send this program's log lines to standard output."""
    root = logging.getLogger("trainjobs")
    root.handlers[:] = [output_handler(form)]
    root.setLevel(logging.INFO)
    root.propagate = False
