"""One node: a containerd and a kubelet of its own, in control groups of its own."""

import contextlib
import fcntl
import json
import os
import signal
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import leftovers, parts
from tests.cluster.harness.layout import (
    BRIDGE,
    CGROUP,
    CLUSTER_DOMAIN,
    HUB,
    PODS,
    Layout,
    node_address,
    pod_range,
)
from tests.cluster.harness.pki import Authority
from tests.cluster.harness.sandbox import Sandbox, checked, wait_for

PAUSE_IMAGE = "trainjobs.dev/pause:1"


@dataclass
class Node:
    """A machine of the cluster, as far as Kubernetes can tell."""

    name: str
    sandbox: Sandbox

    @property
    def layout(self) -> Layout:
        return self.sandbox.layout

    @property
    def folder(self) -> Path:
        return self.layout.root / self.name

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.folder / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """The control group of its pods, below the root of every hierarchy."""
        return f"/{CGROUP}/{self.name}"

    def prepare(self, authority: Authority) -> None:
        """Write its configuration and certificates, and make its control groups."""
        self.folder.mkdir()
        self._write_cni()
        self._write_containerd()
        self._write_kubelet(authority)
        for hierarchy in leftovers.hierarchies():
            _make_group(hierarchy, self.cgroup)

    def start_containerd(self) -> None:
        """Start containerd and wait until it answers."""
        name = f"{self.name}-containerd"
        self.sandbox.start(name, ["containerd", "--config", self.folder / "containerd.toml"])
        wait_for(self._containerd_answers, f"containerd of {self.name}", seconds=30)

    def forget_containers(self) -> None:
        """Remove the containers of an earlier cluster, which containerd remembers beside the images."""
        if names := checked([*self._ctr(), "containers", "ls", "-q"]).split():
            checked([*self._ctr(), "containers", "rm", *names])
            self.sandbox.kill(f"{self.name}-containerd")
            self.start_containerd()

    def start_kubelet(self) -> None:
        """Start the kubelet; the node is Ready some seconds later."""
        command: list[str | Path] = [
            parts.KUBELET.binary(), "--config", self.folder / "kubelet.json",
            "--root-dir", self.folder / "kubelet",
            "--kubeconfig", self.layout.kubeconfig_of(self.name), "--hostname-override", self.name,
            "--node-ip", node_address(self.name),
        ]  # fmt: skip
        self.sandbox.start(f"{self.name}-kubelet", command)

    def stop_kubelet(self) -> None:
        """Kill the kubelet only: the node goes NotReady while its containers run on, unseen."""
        self.sandbox.kill(f"{self.name}-kubelet")

    def lose(self) -> None:
        """Lose the machine: kubelet, containerd and every process of its pods are killed at once."""
        self.stop_kubelet()
        self.sandbox.kill(f"{self.name}-containerd")
        wait_for(self._kill_pods, f"the pods of {self.name} to end", seconds=30)

    def recover(self) -> None:
        """Start again what `stop_kubelet` or `lose` ended."""
        if not self.sandbox.alive(f"{self.name}-containerd"):
            self.start_containerd()
        if not self.sandbox.alive(f"{self.name}-kubelet"):
            self.start_kubelet()

    def load_image(self, archive: Path) -> None:
        """Import a docker archive into this node's containerd, unless it has that image by that name."""
        with tarfile.open(archive) as tar:
            member = tar.extractfile("manifest.json")
            assert member is not None
            manifest = json.load(member)[0]
        # What containerd lists does not tell: two archives of one image may differ in their manifests.
        known = self.layout.images(self.name).with_suffix(".json")
        wanted = dict.fromkeys(manifest["RepoTags"], manifest["Config"])
        with open(known, "a+") as record:
            fcntl.flock(record, fcntl.LOCK_EX)
            record.seek(0)
            imported = json.loads(record.read() or "{}")
            if wanted.items() <= imported.items() and wanted.keys() <= set(self.images()):
                return
            checked([*self._ctr(), "images", "import", "--digests=false", str(archive)])
            record.truncate(0)
            record.write(json.dumps({**imported, **wanted}))

    def images(self) -> list[str]:
        """The names of the images that this node has."""
        return checked([*self._ctr(), "images", "ls", "-q"]).split()

    def forget_images(self, repository: str, *, but: str) -> None:
        """Delete every version of an image, but those whose names begin so, and what no other image needs."""
        rows = [row.split()[:3] for row in checked([*self._ctr(), "images", "ls"]).splitlines()[1:]]
        images = {name: digest for name, _, digest in rows}
        # The kubelet's plugin gives each image a second name, its identity, which alone would keep all of it.
        kept = {
            digest
            for name, digest in images.items()
            if not name.startswith("sha256:")
            and (name.rpartition(":")[0] != repository or name.startswith(but))
        }
        if gone := [name for name, digest in images.items() if digest not in kept]:
            checked([*self._ctr(), "images", "rm", "--sync", *gone])

    def _ctr(self) -> list[str]:
        return ["ctr", "--address", str(self.socket), "--namespace", "k8s.io"]

    def _containerd_answers(self) -> bool:
        if not self.sandbox.alive(f"{self.name}-containerd"):
            raise RuntimeError(
                f"containerd has ended: see {self.layout.logs / f'{self.name}-containerd.log'}"
            )
        try:
            checked([*self._ctr(), "version"])
        except RuntimeError:
            return False
        return True

    def signal_pod(self, uid: str, number: signal.Signals) -> list[int]:
        """Send a signal to every process of a pod's containers; returns the ids that they have here."""
        pids = self.pod_processes(uid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def pod_processes(self, uid: str) -> list[int]:
        """The processes of a pod's containers, as this process numbers them."""
        return sorted(self._members(f"**/pod{uid}/*/**/cgroup.procs"))

    def pod_log(self, uid: str) -> str:
        """What a pod has printed, also while its kubelet is away."""
        files = sorted((self.folder / "pod-logs").glob(f"*_{uid}/*/*.log"))
        return "".join(path.read_text(errors="replace") for path in files)

    def processes(self) -> list[int]:
        """The processes of all its pods and their shims, as this process numbers them."""
        shims = {
            pid for pid, words in _processes() if "containerd-shim" in words[0] and str(self.socket) in words
        }
        return sorted(shims | self._members("**/cgroup.procs"))

    def _members(self, pattern: str) -> set[int]:
        groups = [hierarchy / self.cgroup.lstrip("/") for hierarchy in leftovers.hierarchies()]
        found = set()
        for procs in (path for group in groups for path in group.glob(pattern)):
            with contextlib.suppress(FileNotFoundError, OSError):
                found |= {int(line) for line in procs.read_text().split()}
        return found

    def _kill_pods(self) -> bool:
        pids = self.processes()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    def _write_cni(self) -> None:
        first, last = pod_range(self.name)
        ranges = [[{"subnet": PODS, "rangeStart": first, "rangeEnd": last, "gateway": HUB}]]
        ipam = {
            "type": "host-local",
            "ranges": ranges,
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(self.folder / "addresses"),
        }
        bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": False, "hairpinMode": True, "ipam": ipam}
        folder = self.folder / "cni"
        folder.mkdir()
        network = {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, {"type": "portmap"}]}
        (folder / "10-pods.conflist").write_text(json.dumps(network))

    def _write_containerd(self) -> None:
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        lines = [
            "version = 2",
            f'root = "{self.layout.images(self.name)}"',
            f'state = "{self.folder}/run"',
            f'[grpc]\naddress = "{self.socket}"',
            f'[{cri}]\nsandbox_image = "{PAUSE_IMAGE}"\nstream_server_address = "127.0.0.1"',
            # Without CAP_SYS_RESOURCE runc cannot lower a score: it dies with "can't get final child's PID".
            "restrict_oom_score_adj = true",
            f'[{cri}.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"',
            f"[{cri}.containerd.runtimes.runc.options]\nSystemdCgroup = false",
            f'[{cri}.cni]\nbin_dir = "/usr/lib/cni"\nconf_dir = "{self.folder}/cni"',
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{self.folder}/opt"',
        ]
        (self.folder / "containerd.toml").write_text("\n".join(lines) + "\n")

    def _write_kubelet(self, authority: Authority) -> None:
        address = node_address(self.name)
        serving = authority.issue(f"{self.name}-serving", address, self.name)
        authority.kubeconfig(self.name, user=f"system:node:{self.name}", group="system:nodes")
        (self.folder / "resolv.conf").write_text("")
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": address,
            "healthzBindAddress": address,
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": self.cgroup,
            "failCgroupV1": False,
            "failSwapOn": False,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.layout.authority)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "clusterDomain": CLUSTER_DOMAIN,
            "clusterDNS": [HUB],
            "resolvConf": str(self.folder / "resolv.conf"),
            "podLogsDir": str(self.folder / "pod-logs"),
            "volumePluginDir": str(self.folder / "volume-plugins"),
            # The two nodes share the machine's disk and memory: neither is to clean up for the other.
            "evictionHard": {
                "memory.available": "200Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            # A disk that was full for a moment, while an image was built, is no reason to rest for minutes.
            "evictionPressureTransitionPeriod": "20s",
            "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "4s",
            "nodeLeaseDurationSeconds": 16,
            "maxPods": 200,
        }
        (self.folder / "kubelet.json").write_text(json.dumps(config, indent=1))


def _make_group(hierarchy: Path, group: str) -> None:
    folder = hierarchy
    for name in group.strip("/").split("/"):
        if (controllers := folder / "cgroup.controllers").exists():
            wanted = " ".join(f"+{controller}" for controller in controllers.read_text().split())
            (folder / "cgroup.subtree_control").write_text(wanted)
        parent, folder = folder, folder / name
        folder.mkdir(exist_ok=True)
        # In version 1 a new group may use no processor until it is told which.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (parent / setting).exists() and not (parent / "cgroup.controllers").exists():
                (folder / setting).write_text((parent / setting).read_text())


def _processes() -> list[tuple[int, list[str]]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            found.append((int(entry.name), words))
    return found
