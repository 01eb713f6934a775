"""The agent's own lines: plain on a terminal, JSON in a pod."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(form: Literal["plain", "json"]) -> None:
    """Send this program's log lines to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")
    handler.setFormatter(_JsonLines() if form == "json" else plain)
    root = logging.getLogger("trainjobs")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
