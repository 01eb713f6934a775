"""What an agent is told when it starts: flags, each with an environment variable `TRAINJOBS_…`."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from trainjobs.errors import UsageError

_POD_TERMINATION_LOG = Path("/dev/termination-log")
_ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class Options:
    """One agent's place in its attempt, and the folders and addresses it works with."""

    recipe: Path
    attempt: int
    node_rank: int
    job_uid: str
    pod_uid: str
    master_address: str
    master_port: int
    """0 for any free port, which only an attempt of one node can take."""
    workspace: Path
    cache: Path
    """Where downloads go; may be shared with other runs."""
    status_url: str
    status_ca: Path | None
    status_token: Path | None
    heartbeat_seconds: float
    storage_seconds: float
    """How long a storage that is away is waited for before training."""
    termination_log: Path | None
    metrics_host: str
    metrics_port: int
    log_format: Literal["plain", "json"]
    pvc_root: Path
    """Where claims are mounted: `pvc://models/qwen` is `<pvc_root>/models/qwen`."""
    config_map_root: Path
    """Where ConfigMaps are mounted: `configMap://rows/a.jsonl` is `<config_map_root>/rows/a.jsonl`."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong through our own error, not by leaving the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"trainjobs.agent: {message}; see python -m trainjobs.agent --help")


def parse_options(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Options:
    """Read the flags; one that is not given comes from its environment variable.

    Raises:
        UsageError: a flag is missing or wrong; names it.
    """
    given = _parser(os.environ if environment is None else environment).parse_args(list(arguments))
    if given.attempt < 1:
        raise UsageError(f"trainjobs.agent: --attempt {given.attempt} is not allowed; attempts count from 1")
    if given.node_rank < 0:
        raise UsageError(f"trainjobs.agent: --node-rank {given.node_rank} is not allowed; ranks count from 0")
    workspace = given.workspace.absolute()
    return Options(
        recipe=given.recipe,
        attempt=given.attempt,
        node_rank=given.node_rank,
        job_uid=given.job_uid,
        pod_uid=given.pod_uid,
        master_address=given.master_address,
        master_port=given.master_port,
        workspace=workspace,
        cache=given.cache.absolute() if given.cache else workspace / "cache",
        status_url=given.status_url,
        status_ca=given.status_ca,
        status_token=given.status_token,
        heartbeat_seconds=given.heartbeat_seconds,
        storage_seconds=given.storage_seconds,
        termination_log=given.termination_log or _default_termination_log(),
        metrics_host=given.metrics_host,
        metrics_port=given.metrics_port,
        log_format=given.log_format,
        pvc_root=given.pvc_root,
        config_map_root=given.configmap_root,
    )


def _default_termination_log() -> Path | None:
    return _POD_TERMINATION_LOG if _POD_TERMINATION_LOG.exists() else None


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m trainjobs.agent", description=__doc__, allow_abbrev=False)

    def flag(name: str, kind: type, default: object, text: str) -> None:
        variable = "TRAINJOBS_" + name.removeprefix("--").replace("-", "_").upper()
        # argparse converts a default only where it is a string, as every environment variable is.
        value = environment.get(variable) or default
        parser.add_argument(
            name, type=kind, default=value, required=value is _REQUIRED, help=f"{text} [{variable}]"
        )

    flag("--recipe", Path, _REQUIRED, "the recipe, JSON or YAML")
    flag("--attempt", int, _REQUIRED, "number of the attempt, from 1")
    flag("--node-rank", int, 0, "rank of this node, from 0")
    flag("--job-uid", str, "local", "identity of the attempt's job")
    flag("--pod-uid", str, _REQUIRED, "identity of this node's pod or process")
    flag("--master-address", str, "127.0.0.1", "where node 0 can be reached")
    flag("--master-port", int, _ANY_PORT, "the port of node 0; 0 for any free one, with one node only")
    flag("--workspace", Path, _REQUIRED, "folder for inputs, outputs and logs of this node")
    flag("--cache", Path, None, "folder for downloads (default: in the workspace)")
    flag("--status-url", str, "", "where heartbeats go")
    flag("--status-ca", Path, None, "certificate authority of the status server")
    flag("--status-token", Path, None, "file with the token for the status server")
    flag("--heartbeat-seconds", float, 2.0, "time between two heartbeats")
    flag("--storage-seconds", float, 180.0, "how long to wait before training for a storage that is away")
    flag(
        "--termination-log",
        Path,
        None,
        f"where the final record goes (default: {_POD_TERMINATION_LOG}, if any)",
    )
    flag("--metrics-host", str, "127.0.0.1", "address that serves /metrics and /healthz")
    flag("--metrics-port", int, _ANY_PORT, "port that serves /metrics and /healthz; 0 for any free one")
    flag("--log-format", _log_format, "plain", "plain or json")  # type: ignore[arg-type]
    flag("--pvc-root", Path, Path("/pvc"), "where volume claims are mounted")
    flag("--configmap-root", Path, Path("/configmaps"), "where ConfigMaps are mounted")
    return parser


_REQUIRED = object()


def _log_format(text: str) -> str:
    if text not in ("plain", "json"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither plain nor json")
    return text
