"""Storage of one's own: an endpoint whose certificate only its own authority signs."""

import pytest

from tests.cluster.bench import BUCKET, SECRET, Bench
from tests.cluster.harness.layout import HUB
from tests.cluster.harness.own import OwnCluster
from tests.harness.s3 import REGION
from tests.harness.tls import make_certificate
from tests.harness.versitygw import binary

PORT = 9444
NAME = "versitygw-tls"


@pytest.fixture
def authority(bench: Bench, own_cluster: OwnCluster):
    """The cluster's S3 server a second time, over TLS; what signs its certificate, as PEM."""
    folder = own_cluster.sandbox.layout.root / "s3-tls"
    folder.mkdir(exist_ok=True)
    made = make_certificate(folder, HUB)
    keys = {"ROOT_ACCESS_KEY": own_cluster.s3.access_key, "ROOT_SECRET_KEY": own_cluster.s3.secret_key}
    own_cluster.sandbox.start(
        NAME,
        [
            binary(), "--port", f"{HUB}:{PORT}", "--region", REGION, "--keep-alive",
            "--cert", made.certificate, "--key", made.key, "posix", own_cluster.s3.folder,
        ],
        keys,
    )  # fmt: skip
    yield made.authority.read_text()
    own_cluster.sandbox.kill(NAME)


def test_a_run_trusts_the_authority_that_its_storage_names(bench: Bench, authority: str):
    bench.kubectl("create", "configmap", "s3-ca", f"--from-literal=ca.crt={authority}")
    storage = {
        "uri": f"s3://{BUCKET}/secured",
        "endpoint": f"https://{HUB}:{PORT}",
        "region": REGION,
        "secretName": SECRET,
        "caConfigMapName": "s3-ca",
    }
    bench.apply("secured", "--steps", "10", spec={"checkpoints": {"storage": storage}})
    bench.wait("secured", "Succeeded", 120)
    assert bench.status("secured")["artifacts"]["model"].startswith(f"s3://{BUCKET}/secured/")
