"""What the container of a pod prints: its machine's kubelet tells it, through the API server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from trainjobs.kube.client import Kube
from trainjobs.kube.resources import PODS


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, without its end."""

    stamp: str
    """When the machine got it, to the nanosecond; empty where that is not said."""
    text: str


async def log_lines(
    kube: Kube,
    namespace: str,
    pod: str,
    container: str,
    *,
    follow: bool,
    tail: int | None = None,
    after: str = "",
) -> AsyncIterator[LogLine]:
    """Yield the lines of a container's log.

    Args:
        kube: the cluster.
        namespace: the pod's.
        pod: its name.
        container: its container's name.
        follow: go on until the container ends, or the connection does.
        tail: so many of the last lines only; None for all.
        after: the stamp of the last line that is known already; empty for none.

    Raises:
        KubeError: the log cannot be had: Invalid before the container starts, NotFound without the pod.
    """
    query = [("container", container), ("timestamps", "true")]
    query += [("follow", "true")] if follow else []
    if after:
        # To the second only: what is known of that second is left out below.
        query.append(("sinceTime", after))
    elif tail is not None:
        query.append(("tailLines", str(tail)))
    stamp = after
    rest = b""
    async for piece in kube.stream(PODS.path(namespace, pod, "log"), query, endless=follow):
        *whole, rest = (rest + piece).split(b"\n")
        for one in whole:
            line = _line(one, stamp)
            if after and _moment(line.stamp) <= _moment(after):
                continue
            stamp = line.stamp
            yield line
    if rest:
        yield _line(rest, stamp)


def _line(line: bytes, last: str) -> LogLine:
    stamp, _, text = line.decode(errors="replace").partition(" ")
    try:
        datetime.fromisoformat(stamp)
    except ValueError:
        # The kubelet's own words, such as that the log's file is gone.
        return LogLine(last, line.decode(errors="replace"))
    return LogLine(stamp, text)


def _moment(stamp: str) -> tuple[datetime, str]:
    return datetime.fromisoformat(stamp), stamp
