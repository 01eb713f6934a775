"""Whether the kernel killed something of ours for lack of memory: the cgroup's own counter."""

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")


def oom_kills(own: Path = _SELF, mounted: Path = _CGROUPS) -> int | None:
    """Return how many processes of this cgroup the kernel has killed for lack of memory.

    None where it does not say. cgroup v2 counts in `memory.events`, v1 in `memory.oom_control`, both
    under `oom_kill`. Inside a container the path that the kernel names may not be visible: then the
    mount's root is our cgroup.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "memory" or "memory" in controllers.split(","):
            return _count(mounted / "memory", path, "memory.oom_control")
    for line in lines:
        if line.startswith("0::"):
            return _count(mounted, line.removeprefix("0::"), "memory.events")
    return None


def _count(root: Path, path: str, name: str) -> int | None:
    for folder in (root / path.strip("/"), root):
        try:
            pairs = dict(line.split(maxsplit=1) for line in (folder / name).read_text().splitlines())
            return int(pairs["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return None
