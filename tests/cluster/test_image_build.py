"""An image built from a Dockerfile runs in a pod."""

from tests.cluster.harness.cluster import Cluster
from tests.cluster.harness.image_build import build_image
from tests.cluster.harness.manifests import pod

TAG = "trainjobs.dev/image-build-test:1"
DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS first
COPY words /words
RUN python3 -c "open('/made', 'w').write(open('/words').read().upper())"
FROM ${BASE_IMAGE}
COPY --from=first /made /made
USER 1000
"""


def test_an_image_of_two_stages_runs_as_it_was_built_last(own_cluster: Cluster, namespace, tmp_path):
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    for words in ("first build", "second build"):
        (tmp_path / "words").write_text(words)
        own_cluster.load_image(build_image(tmp_path, tmp_path / "Dockerfile", TAG))
        name = words.replace(" ", "-")
        manifest = pod(name, namespace, ["cat", "/made"])
        manifest["spec"]["containers"][0]["image"] = TAG
        own_cluster.apply(manifest)
        own_cluster.kubectl(
            "wait",
            f"pod/{name}",
            "-n",
            namespace,
            "--for=jsonpath={.status.phase}=Succeeded",
            "--timeout=60s",
        )
        assert own_cluster.kubectl("logs", name, "-n", namespace) == words.upper()
