"""`make demo-cluster`: from nothing to a reward model trained in pods, and what its user sees on the way."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.bench import Bench
from tests.cluster.harness import provider
from tests.cluster.installation import install_operator
from tests.cluster.project_images import TRAINER
from tests.cluster.ratings import NODES, Ratings, prepare_inputs

NAMESPACE = "demo"
NAME = "review-ratings"
TEXTS = (
    "A quiet masterpiece: every scene earns its place.",
    "It is a film. It begins, it ends, and little happens between.",
    "Two hours of my life that nobody will give back to me.",
)
LONGEST_SECONDS = 1800


def say(words: str) -> None:
    """Tell what happens, at once."""
    print(words, flush=True)


def prepared() -> tuple[Ratings, str, dict[str, str]]:
    """A cluster with the operator, a namespace with inputs and keys, the trainer's image and where it is."""
    say("== Kubernetes, two nodes on this machine (the first time builds it: 20 minutes)")
    cluster = provider.start()
    say("== the operator: helm install")
    install_operator(cluster)
    say("== the trainer's image, on one node (the first time builds it: 6 minutes)")
    image, selector = TRAINER.place(cluster)
    if not cluster.exists("namespace", NAMESPACE):
        cluster.make_namespace(NAMESPACE)
    bench = Bench(cluster, NAMESPACE)
    bench.prepare()
    inputs = Path(tempfile.gettempdir(), "trainjobs-demo-inputs")
    ratings = Ratings(bench, prepare_inputs(inputs))
    ratings.upload()
    return ratings, image, selector


def follow(bench: Bench) -> None:
    """Print the run's row of `kubectl get` whenever it changes, until the run has finished."""
    say(f"== kubectl get rmrun --namespace {NAMESPACE}, whenever it changes")
    last, begun = "", time.monotonic()
    while time.monotonic() - begun < LONGEST_SECONDS:
        rows = bench.kubectl("get", "rmrun", NAME).splitlines()
        row = rows[-1].rsplit(maxsplit=1)[0]
        if row != last:
            say(rows[-1] if last else "\n".join(rows))
            last = row
        if bench.condition(NAME, "Finished").get("status") == "True":
            return
        time.sleep(2)
    raise TimeoutError(f"the run has not finished within {LONGEST_SECONDS} s: {bench.story(NAME)}")


def main() -> int:
    """Run the demo; returns the exit code."""
    argparse.ArgumentParser(prog="make demo-cluster", description=__doc__).parse_args()
    ratings, image, selector = prepared()
    bench = ratings.bench
    bench.kubectl("delete", "rmrun", NAME, "--ignore-not-found")
    manifest = ratings.manifest(
        NAME,
        runtime={"image": image, "env": None},
        training={"epochs": 1, "maxSteps": None, "batchSizePerDevice": 16, "logEverySteps": 5},
        checkpoints={"saveEverySteps": 100},
    )
    manifest["spec"]["podTemplate"] = {"spec": {"nodeSelector": selector}}
    say(f"== kubectl apply -f rmrun.yaml: {NODES} nodes × 1 process")
    bench.apply_manifest(manifest)
    follow(bench)
    say(bench.kubectl("get", "rmrun,pytorchjob,pod", "-o", "wide"))
    if bench.condition(NAME, "Succeeded").get("status") != "True":
        say(bench.story(NAME))
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        say(f"== trainjobs pull {ratings.uri(NAME)} --model")
        model = ratings.pull(NAME, Path(scratch, "model"))
        say(ratings.table(model, TEXTS))
    say("The cluster is still up: make cluster-up says how to use it, make cluster-down ends it.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError) as error:
        print(f"demo-cluster: {error}", file=sys.stderr)
        sys.exit(1)
