"""kind's node image made here, where no registry is reached: `python -m tests.cluster.harness.kind_image`.

Debian's packages, kind's own files and the harness's programs, in the layout of kind's images. Its pod
network is kube-router, which enforces NetworkPolicies as the network of kind's images does.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.cluster.harness import debian, images, parts
from tests.cluster.harness.image_build import build_image, forget_images
from tests.cluster.harness.sandbox import checked
from tests.harness.go_tools import cache

NODE_IMAGE = f"trainjobs.dev/kind-node:v{parts.KUBELET.version}"
_PROGRAMS_IMAGE = f"trainjobs.dev/kind-programs:v{parts.KUBELET.version}"
_ROUTER_IMAGE = f"docker.io/cloudnativelabs/kube-router:v{parts.KUBE_ROUTER.version}"
_FILES = Path(__file__).parent / "kind_node"
_OF_NODE = (parts.KUBEADM, parts.KUBELET, parts.KUBECTL)
_OF_PODS = (
    parts.ETCD, parts.APISERVER, parts.CONTROLLER_MANAGER, parts.SCHEDULER, parts.PROXY, parts.COREDNS,
    parts.KUBE_ROUTER, parts.TRAINING_OPERATOR,
)  # fmt: skip


def make() -> None:
    """Build the image and give it to Docker."""
    debian.install_missing()
    parts.build((parts.KIND, *_OF_NODE, *_OF_PODS))
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".kind-node-") as scratch:
        context = Path(scratch)
        _write_context(context)
        arguments = {
            "VERSION": parts.KUBELET.version,
            "PAUSE": images.PAUSE_IMAGE,
            "PROGRAMS": _PROGRAMS_IMAGE,
            "NAMES": f"{_ROUTER_IMAGE} {_training_operator_image()}",
        }
        archive = build_image(context, _FILES / "Dockerfile", NODE_IMAGE, arguments=arguments)
    checked(["docker", "load", "--input", str(archive)])
    # Docker has it now, and it is large.
    archive.unlink()
    for name in (NODE_IMAGE, _PROGRAMS_IMAGE):
        forget_images(name.partition(":")[0], kept=0)


def _write_context(context: Path) -> None:
    base = parts.KIND.source_folder() / "images" / "base" / "files"
    # Go's module cache is read-only, and what is copied from it would be so.
    shutil.copytree(base, context / "kind", copy_function=shutil.copyfile)
    _place(_OF_NODE, context / "node")
    (context / "default-cni.yaml").write_text(_network_manifest())
    (context / "images").mkdir()
    shutil.copy(images.pause_archive(), context / "images")
    with tempfile.TemporaryDirectory(dir=context.parent, prefix=".kind-programs-") as programs:
        _place(_OF_PODS, Path(programs, "programs"))
        archive = build_image(Path(programs), _FILES / "programs.Dockerfile", _PROGRAMS_IMAGE)
    shutil.move(archive, context / "images")


def _place(programs: Iterable[parts.Part], folder: Path) -> None:
    folder.mkdir()
    for part in programs:
        shutil.copy(part.binary(), folder / part.name)


def _network_manifest() -> str:
    """Upstream's DaemonSet, but of the image that nodes have, whose entrypoint is another program."""
    daemonset = parts.KUBE_ROUTER.source_folder() / "daemonset" / "kubeadm-kuberouter.yaml"
    text = daemonset.read_text().replace("imagePullPolicy: Always", "imagePullPolicy: Never")
    text = text.replace("docker.io/cloudnativelabs/kube-router\n", f"{_ROUTER_IMAGE}\n")
    return text.replace("        args:\n", "        command: [kube-router]\n        args:\n")


def _training_operator_image() -> str:
    """The image that upstream's manifests name."""
    overlay = parts.TRAINING_OPERATOR.source_folder() / "manifests" / "overlays" / "standalone"
    [image] = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    return f"{image['name']}:{image['newTag']}"


if __name__ == "__main__":
    try:
        make()
    except RuntimeError as error:
        raise SystemExit(f"kind-image: {error}") from error
    print(f"Docker has {NODE_IMAGE}", file=sys.stderr)
