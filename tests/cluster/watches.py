"""The connections on which the operator hears of changes, for tests that break those and nothing else."""

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.bench import Bench
from tests.cluster.harness.sandbox import checked
from tests.cluster.operator_pods import operator_pods

# Longer than a connection for ordinary requests is kept that nobody uses.
_SILENT_SECONDS = 18.0
_TABLE = ("inet", "tests")


@dataclass(frozen=True, slots=True)
class Watches:
    """Those of one pod, by the ports they come from, in the pod's network namespace."""

    network: Path
    ports: frozenset[int]

    def cut(self) -> int:
        """Reset them, as a load balancer does that is replaced; how many there were."""
        kill = [*self._inside(), "ss", "--kill", "--no-header", "--tcp", "sport", "="]
        return sum(bool(checked([*kill, f":{port}"]).strip()) for port in self.ports)

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Lose whatever comes on them, without a word to either side, as a firewall does that forgot them."""
        nft, chain = [*self._inside(), "nft"], (*_TABLE, "silence")
        ports = ", ".join(map(str, sorted(self.ports)))
        checked([*nft, "add", "table", *_TABLE])
        checked([*nft, "add", "chain", *chain, "{ type filter hook input priority 0; }"])
        checked([*nft, "add", "rule", *chain, "tcp", "dport", f"{{ {ports} }}", "drop"])
        try:
            yield
        finally:
            checked([*nft, "delete", "table", *_TABLE])

    def _inside(self) -> list[str]:
        return _inside(self.network)


def watches_of(bench: Bench, name: str) -> Watches:
    """The watches of one of the operator's pods: connections on which it asks nothing for a while."""
    pod = operator_pods(bench)[name]
    [process, *_] = bench.own.nodes[pod["spec"]["nodeName"]].pod_processes(pod["metadata"]["uid"])
    network = Path(f"/proc/{process}/ns/net")
    before = _sent(network)
    time.sleep(_SILENT_SECONDS)
    return Watches(
        network, frozenset(port for port, sent in _sent(network).items() if before.get(port) == sent)
    )


def _sent(network: Path) -> dict[int, int]:
    """Bytes sent on every connection to the API server, by the port it comes from."""
    options = (
        "--tcp",
        "--info",
        "--numeric",
        "--no-header",
        "--oneline",
        "state",
        "established",
        "dport",
        "=",
        ":443",
    )
    lines = checked([*_inside(network), "ss", *options]).splitlines()
    found = (re.search(r":(\d+)\s+\S+:443\s.*\bbytes_sent:(\d+)", line) for line in lines)
    return {int(one[1]): int(one[2]) for one in found if one}


def _inside(network: Path) -> list[str]:
    return ["nsenter", f"--net={network}"]
