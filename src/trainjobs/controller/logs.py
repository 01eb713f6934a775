"""The operator's log lines."""

import logging

from trainjobs.log_lines import Form, output_handler


def set_up_logging(form: Form) -> None:
    """Send log lines to standard output: our own, and what kopf and asyncio warn of."""
    root = logging.getLogger()
    root.handlers[:] = [output_handler(form)]
    root.setLevel(logging.WARNING)
    logging.getLogger("trainjobs").setLevel(logging.INFO)
