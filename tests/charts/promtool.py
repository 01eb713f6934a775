"""Prometheus' own checker of rules: the machine's, else out of Debian's package, into the cache."""

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.harness.go_tools import cache


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool, whichever way it ends."""
    return subprocess.run([_program(), *arguments], capture_output=True, text=True, check=False, timeout=300)


def _program() -> str:
    return shutil.which("promtool") or str(_cached())


def _cached() -> Path:
    program = cache() / "bin" / "promtool-debian"
    program.parent.mkdir(exist_ok=True)
    with open(program.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=cache()) as folder:
                _unpack(Path(folder)).replace(program)
    return program


def _unpack(folder: Path) -> Path:
    # Only taken out of its package: installed, it would start a server.
    for command in (
        # A fresh machine knows no packages yet.
        ["sh", "-c", "apt-get download prometheus || { apt-get update && apt-get download prometheus; }"],
        ["sh", "-c", "dpkg-deb --extract prometheus_*.deb ."],
    ):
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise RuntimeError(f"needs promtool, which is not here: {error}") from None
        if done.returncode != 0:
            raise RuntimeError(f"needs promtool, which is not here: {done.stderr.strip()}")
    return folder / "usr" / "bin" / "promtool"
