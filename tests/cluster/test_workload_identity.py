"""Storage without a Secret: pods sign in by their ServiceAccount, as they do in a cloud."""

import pytest

from tests.cluster.bench import BUCKET, SECRET, Bench
from tests.cluster.cloud import Cloud
from tests.cluster.harness.own import OwnCluster
from tests.harness.s3 import REGION


@pytest.fixture
def cloud(bench: Bench, own_cluster: OwnCluster):
    """A cloud whose role trusts the ServiceAccount `default` of the bench's namespace."""
    bench.kubectl("delete", "secret", SECRET)
    made = Cloud(bench)
    made.start()
    yield made
    made.stop()


def test_pods_sign_in_by_their_service_account_and_are_refused_where_the_role_trusts_another(
    bench: Bench, cloud: Cloud
):
    storage = {"uri": f"s3://{BUCKET}/identified", "endpoint": cloud.endpoint, "region": REGION}
    spec = {"checkpoints": {"storage": storage}, "runPolicy": {"deletionPolicy": "Delete"}}
    bench.apply("identified", "--steps", "10", spec=spec)
    bench.wait("identified", "Succeeded", 120)
    [pod] = bench.pods("identified")
    assert "AWS_ACCESS_KEY_ID" not in {one["name"] for one in pod["spec"]["containers"][0]["env"]}
    stored = bench.cluster.s3.open(f"s3://{BUCKET}/identified")
    assert [one for one in stored.list() if one.key.endswith("artifacts/model-a0001/config.json")]
    # The pod that empties the prefix signs in like the run's own.
    bench.kubectl("delete", "rmrun", "identified", "--timeout=60s")
    assert not list(stored.list())

    cloud.trust("somebody-else")
    bench.apply("foreign", "--steps", "10", spec={"checkpoints": {"storage": storage}})
    bench.wait("foreign", "Failed", 120)
    failed = bench.condition("foreign", "Failed")
    assert failed["reason"] == "AccessDenied"
    assert "no keys from the pod's web identity" in failed["message"]
