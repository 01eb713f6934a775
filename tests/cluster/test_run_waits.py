"""What keeps a run from starting is in its conditions, in the words of whoever holds it up."""

from tests.cluster.bench import Bench


def test_a_pod_that_fits_nowhere_is_said_in_the_schedulers_words(bench: Bench):
    bench.apply("large", spec={"resources": {"requests": {"cpu": "500"}}})

    def said() -> bool:
        return "Insufficient cpu" in bench.condition("large", "Scheduled").get("message", "")

    bench.until("large", said, "the scheduler's message", seconds=30)
    assert bench.condition("large", "Scheduled")["status"] == "False"


def test_an_image_that_cannot_be_pulled_is_said_in_the_kubelets_words(bench: Bench):
    manifest = bench.manifest("imageless")
    manifest["spec"]["runtime"]["image"] = "registry.invalid/none:1"
    bench.apply_manifest(manifest)

    def said() -> bool:
        message = bench.condition("imageless", "Running").get("message", "")
        return "registry.invalid/none:1" in message and ("ErrImagePull" in message or "BackOff" in message)

    bench.until("imageless", said, "the kubelet's message", seconds=30)


def test_a_missing_secret_is_said_and_the_run_goes_on_when_it_appears(bench: Bench):
    bench.kubectl("delete", "secret", "bucket")
    bench.apply("keyless", "--steps", "5")

    def said() -> bool:
        return 'secret "bucket" not found' in bench.condition("keyless", "Running").get("message", "")

    bench.until("keyless", said, "the kubelet's message", seconds=30)
    bench.prepare()
    bench.wait("keyless", "Succeeded", 90)
    assert bench.status("keyless")["attempt"] == 1
