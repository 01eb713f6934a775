"""What an agent refuses before it trains: one line that names the field, and the exit code."""

import json

import pytest
import yaml

from trainjobs.core.outputs import CHECKPOINT_PREFIX


def test_a_recipe_of_an_unknown_protocol_is_refused(bench):
    bench.recipe = {"protocol": 7}
    finished = bench.run()
    assert finished.code == 10
    assert "protocol 7 is not known to this agent, which speaks 1" in finished.record.message


def test_a_recipe_with_a_wrong_field_is_refused_by_its_name(bench):
    bench.recipe = {"limits": {"startTimeoutSeconds": "soon", "hangTimeoutSeconds": 1}}
    finished = bench.run()
    assert finished.code == 10
    assert "limits.startTimeoutSeconds" in finished.record.message


def test_a_recipe_that_is_not_there_is_refused(bench):
    with bench.agent(f"--recipe={bench.root}/none.yaml") as agent:
        agent.communicate(timeout=120)
    assert agent.returncode == 10
    assert "none.yaml: No such file or directory" in bench.record().message


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (
            {"model": {"uri": "file:///no/such/model"}},
            12,
            "spec.baseModel.uri: /no/such/model does not exist",
        ),
        (
            {"model": {"uri": "pvc://models/qwen"}},
            12,
            "spec.baseModel.uri: /pvc/models/qwen does not exist (pvc://models/qwen)",
        ),
        (
            {"dataset": {"train": "file:///no/train.jsonl"}},
            11,
            "spec.dataset.train: /no/train.jsonl does not exist",
        ),
        (
            {"dataset": {"train": "configMap://rows/train.jsonl"}},
            11,
            "spec.dataset.train: /configmaps/rows/train.jsonl does not exist",
        ),
        ({"command": ["/no/script.py"]}, 10, "spec.runtime.command: there is no script /no/script.py"),
        ({"store": "file://relative"}, 10, "storage"),
        ({"command": [], "model": {"uri": "hf://org/name"}}, 10, "task: SFT is not trained by this version"),
        ({"model": {"uri": "hf://org/"}}, 10, "give hf://organisation/name"),
        (
            {"model": {"uri": "hf://org/na--me"}},
            10,
            "spec.baseModel.uri: hf://org/na--me: Cannot have -- or .. in",
        ),
    ],
)
def test_what_is_missing_is_named_by_its_field(bench, change, code, words):
    bench.recipe = change
    finished = bench.run()
    assert finished.code == code, finished.output
    assert words in finished.record.message
    assert finished.record.message.count("\n") == 0


@pytest.mark.parametrize("name", ["org/name", "name"])
def test_a_model_of_the_hubs_cache_is_found_without_the_hub(bench, name):
    # The layout that huggingface_hub itself writes.
    snapshot = bench.root / "cache" / "hub" / f"models--{name.replace('/', '--')}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    bench.recipe = {"model": {"uri": f"hf://{name}"}}
    bench.environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(bench.root / "cache")}
    finished = bench.run()
    assert finished.code == 0, finished.output


def test_volumes_and_config_maps_are_where_they_are_mounted(bench):
    volume = bench.root / "mnt" / "models" / "tiny"
    volume.mkdir(parents=True)
    (volume / "config.json").write_text("{}")
    rows = bench.root / "maps" / "rows"
    rows.mkdir(parents=True)
    (rows / "train.jsonl").write_text("{}\n")
    bench.recipe = {
        "model": {"uri": "pvc://models/tiny"},
        "dataset": {"train": "configMap://rows/train.jsonl"},
        "store": "pvc://results/tiny",
    }
    finished = bench.run(f"--pvc-root={bench.root}/mnt", f"--configmap-root={bench.root}/maps")
    assert finished.code == 0, finished.output
    assert (bench.root / "mnt" / "results" / "tiny" / "result.json").exists()
    # What the status shows means the same in every pod, and where nothing is mounted.
    outcome = bench.record(0).outcome
    assert outcome.artifacts.model == "pvc://results/tiny/artifacts/model-a0001"
    assert outcome.checkpoints.latest.uri.startswith("pvc://results/tiny/checkpoints/step-")
    localised = (bench.workspace() / "localised.yaml").read_text()
    assert str(volume) in localised


def test_the_file_that_is_typed_is_the_one_that_is_trained_on(bench):
    (bench.root / "proj").mkdir()
    (bench.root / "proj#old%41?").mkdir()
    (bench.root / "proj#old%41?" / "train.jsonl").write_text("{}\n")
    bench.recipe = {"dataset": {"train": f"file://{bench.root}/proj#old%41?/train.jsonl"}}
    finished = bench.run()
    assert finished.code == 0, finished.output
    localised = yaml.safe_load((bench.workspace() / "localised.yaml").read_text())
    assert localised["inputs"]["train"] == f"{bench.root}/proj#old%41?/train.jsonl"


def test_what_an_earlier_attempt_left_is_not_taken_for_this_ones(bench):
    output = bench.workspace() / "output"
    (output / f"{CHECKPOINT_PREFIX}999").mkdir(parents=True)
    (output / f"{CHECKPOINT_PREFIX}999" / "trainer_state.json").write_text("{}")
    (output / "failure.json").write_text(json.dumps({"reason": "Diverged", "message": "long ago"}))
    finished = bench.run()
    assert finished.code == 0, finished.output
    assert finished.record.outcome.checkpoints.latest.step == 20


def test_a_wrong_flag_is_a_wrong_use(bench):
    with bench.agent("--attempt=0") as agent:
        output = agent.communicate(timeout=120)[0].decode()
    assert agent.returncode == 2
    assert "--attempt 0 is not allowed" in output
