"""What the programs of several machines say to each other: node 0 leads, the others follow.

Nothing that could be executed travels: every machine builds its recipe from its own copy of the
manifest, and the fingerprint proves the copies equal.
"""

import hashlib
import json
from pathlib import PurePosixPath
from typing import Literal

from trainjobs.api.base import Section
from trainjobs.api.exchanged import Exchanged
from trainjobs.api.runs import Run
from trainjobs.core.reports import FinalRecord, Heartbeat

SILENT_SECONDS = 20.0
"""A follower that says nothing for this long counts as a lost machine."""
BEAT_SECONDS = 1.0


class Assignment(Section):
    """What a follower's node is to do now."""

    run_uid: str
    attempt: int
    halve_batch: int
    job_name: str
    job_uid: str
    pod_uid: str
    address: str
    port: int
    """Where the nodes' processes find each other."""
    stop: bool = False


class NodeReport(Section, Exchanged):
    """What a follower says every second."""

    fingerprint: str
    node_rank: int
    host: str
    pod_uid: str = ""
    """Of the assignment it works on; empty before the first."""
    exit_code: int | None = None
    """Of its agent, once it has ended."""
    record: FinalRecord | None = None
    heartbeat: Heartbeat | None = None


class LeaderAnswer(Section, Exchanged):
    """What the leader answers."""

    verdict: Literal["Wait", "Work", "Refused", "Finished"]
    message: str = ""
    exit_code: int = 0
    """With Finished: the run's."""
    assignment: Assignment | None = None


def fingerprint(run: Run) -> str:
    """A hash of what the run is, the same on machines that keep its files in different folders."""
    body = run.model_dump(by_alias=True, exclude_none=True, mode="json", include={"kind", "spec"})
    body["name"] = run.metadata.name
    return hashlib.sha256(json.dumps(_without_folders(body), sort_keys=True).encode()).hexdigest()


def _without_folders(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_folders(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_folders(inner) for inner in value]
    if isinstance(value, str) and value.startswith("file://"):
        return PurePosixPath(value).name
    return value
