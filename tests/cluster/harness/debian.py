"""What comes from Debian: installed when it is missing, which needs root and a package mirror."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

# A program that each package brings, by which we know that it is there.
PACKAGES = {
    "containerd": "/usr/bin/containerd",
    "runc": "/usr/sbin/runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "nftables": "/usr/sbin/nft",
    "conntrack": "/usr/sbin/conntrack",
    "debootstrap": "/usr/sbin/debootstrap",
    "buildah": "/usr/bin/buildah",
    "iproute2": "/usr/sbin/ip",
    "procps": "/usr/sbin/sysctl",
}


def missing() -> list[str]:
    """The packages that this machine lacks."""
    return [
        name for name, program in PACKAGES.items() if not Path(program).exists() and not _on_path(program)
    ]


def install_missing() -> None:
    """Install them, or raise RuntimeError with one line that says what to do."""
    elsewhere = "or run kind with Docker, or name another cluster's kubeconfig in TRAINJOBS_KUBECONFIG"
    if sys.platform != "linux" or os.geteuid() != 0:
        raise RuntimeError(f"a cluster on this machine needs Linux and root: become root, {elsewhere}")
    if not (packages := missing()):
        return
    if shutil.which("apt-get") is None:
        raise RuntimeError(f"a cluster needs {', '.join(packages)}: install them, {elsewhere}")
    _apt_get("update", "-qq")
    _apt_get("install", "-y", "-qq", "--no-install-recommends", *packages)


def _apt_get(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1000:]
        raise RuntimeError(f"{' '.join(command)} fails: {said}")


def _on_path(program: str) -> bool:
    return shutil.which(Path(program).name) is not None
