"""A finding: what was seen, what to do, and the change to the manifest that does it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from trainjobs.api.status import FindingStatus

Severity = Literal["Info", "Warning", "Critical"]
Patch = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says."""

    code: str
    """Which finding, in one word."""
    severity: Severity
    message: str
    """What was seen, with its numbers."""
    advice: str
    """What to do."""
    patch: Patch | None = None
    """The advice as a part of the manifest, from `spec` down; None where it is no matter of the manifest."""

    def status(self) -> FindingStatus:
        """The finding as a run's status carries it."""
        return FindingStatus(code=self.code, severity=self.severity, message=self.message, advice=self.advice)
