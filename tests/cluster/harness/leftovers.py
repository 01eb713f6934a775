"""Takes away what a cluster leaves outside its namespaces: control groups and files."""

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

from tests.cluster.harness.layout import CGROUP, Layout

CGROUPS = Path("/sys/fs/cgroup")


def remove(layout: Layout) -> None:
    """Remove all of it; the logs stay. Does nothing where nothing is left. The cluster must have ended."""
    for hierarchy in hierarchies():
        _remove_group(hierarchy / CGROUP)
    if layout.root.exists():
        _unmount_below(layout.root)
        _empty(layout)


def _unmount_below(folder: Path) -> None:
    # A pod's volume may be someone's folder, mounted here: what is still mounted must not be deleted through.
    for _ in range(20):
        mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        ours = [path for path in mounted if path.startswith(f"{folder}/")]
        if not ours:
            return
        for path in reversed(ours):
            subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)
    raise RuntimeError(f"cannot unmount {ours[-1]}: nothing below {folder} is deleted")


def _empty(layout: Layout) -> None:
    for entry in layout.root.iterdir():
        if entry == layout.logs:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def hierarchies() -> list[Path]:
    """The mounted hierarchies of control groups: one of version 2, or several of version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    folders = sorted(folder for folder in CGROUPS.iterdir() if not folder.is_symlink())
    return [folder for folder in folders if (folder / "cgroup.procs").exists()]


def _remove_group(group: Path) -> None:
    if not group.exists():
        return
    for child in sorted(group.glob("**/"), key=lambda path: len(path.parts), reverse=True):
        # The kernel takes a moment to let go of a group whose last process has just died.
        for _ in range(50):
            with contextlib.suppress(FileNotFoundError):
                try:
                    child.rmdir()
                except OSError:
                    time.sleep(0.1)
                    continue
            break
