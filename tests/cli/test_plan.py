"""`trainjobs plan`, as people start it."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from trainjobs.cli.app import app
from trainjobs.cli.model_files import model_shape
from trainjobs.errors import InvalidRecipe, ModelNotFound, UsageError

MANIFEST = {
    "apiVersion": "trainjobs.dev/v1alpha1",
    "kind": "RewardModelRun",
    "metadata": {"name": "ratings"},
    "spec": {
        "baseModel": {"uri": "file:///models/base"},
        "dataset": {"train": "s3://data/train.jsonl"},
        "objective": {"type": "Regression", "regression": {"dimensions": [{"name": "sentiment"}]}},
        "training": {"epochs": 2},
    },
}


def manifest(folder: Path, **spec: object) -> Path:
    body = {**MANIFEST, "spec": {**MANIFEST["spec"], **spec}}
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(body))
    return file


def model(folder: Path) -> Path:
    """A model's folder of two tensors, in the format's own bytes."""
    folder.mkdir()
    header = {
        "__metadata__": {"format": "pt"},
        "embed.weight": {"dtype": "F32", "shape": [10, 4], "data_offsets": [0, 160]},
        "layer.0.weight": {"dtype": "F32", "shape": [4, 4], "data_offsets": [160, 224]},
    }
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(224))
    config = {"hidden_size": 4, "num_hidden_layers": 1, "vocab_size": 10}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_the_objects_can_be_read_back_as_kubectl_reads_them(tmp_path: Path) -> None:
    result = run(manifest(tmp_path))

    objects = list(yaml.safe_load_all(result.stdout))
    assert result.exit_code == 0, result.output
    assert [one["kind"] for one in objects] == ["NetworkPolicy", "PyTorchJob"]
    recipe = objects[1]["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["metadata"]["annotations"]
    assert json.loads(recipe["trainjobs.dev/recipe"])["training"]["epochs"] == 2.0


def test_a_value_of_the_command_line_replaces_the_manifests(tmp_path: Path) -> None:
    result = run(manifest(tmp_path), "--set", "spec.topology.nodes=3", "--attempt", "4", "--output", "json")

    job = json.loads(result.stdout)[0]["objects"][1]
    assert job["spec"]["pytorchReplicaSpecs"]["Worker"]["replicas"] == 3
    assert job["metadata"]["name"].endswith("-4")


OPERATOR = {"defaults": {"image": "ours:7", "storageUri": "s3://ours/runs"}}
VALUES = {"runs": {"image": {"repository": "ours", "tag": "7"}, "storage": {"uri": "s3://ours/runs"}}}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"settings.yaml": yaml.safe_dump(OPERATOR)}}


@pytest.mark.parametrize("settings", [VALUES, OPERATOR, CONFIG_MAP], ids=["values", "operator", "ConfigMap"])
def test_settings_of_the_platform_are_taken_from_its_file(tmp_path: Path, settings: object) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(yaml.safe_dump(settings))

    result = run(manifest(tmp_path), "--settings", file)

    assert "image: ours:7" in result.stdout
    assert "s3://ours/runs/default/RewardModelRun" in result.stdout
    assert "assumed" not in result.stderr


def test_what_differs_in_a_namespace_is_what_its_runs_get(tmp_path: Path) -> None:
    template = {"spec": {"nodeSelector": {"pool": "b"}}}
    own = {"storage": {"uri": "s3://team-b"}, "podTemplate": template, "accelerators": ["b/chip"]}
    values = {"runs": {"env": [{"name": "HTTPS_PROXY", "value": "p"}]}, "namespaces": {"team-b": own}}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    asked = manifest(tmp_path, resources={"limits": {"b/chip": "4"}})

    found = json.loads(run(asked, "--settings", file, "-n", "team-b", "--output", "json").stdout)[0]

    pod = found["objects"][1]["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    recipe = json.loads(pod["metadata"]["annotations"]["trainjobs.dev/recipe"])
    assert {one["metadata"]["namespace"] for one in found["objects"]} == {"team-b"}
    assert pod["spec"]["nodeSelector"] == {"pool": "b"}
    assert {"name": "HTTPS_PROXY", "value": "p"} in pod["spec"]["containers"][0]["env"]
    assert recipe["processes"]["perNode"] == 4
    assert recipe["store"].startswith("s3://team-b/team-b/RewardModelRun/")


def test_a_manifest_of_another_namespace_is_refused(tmp_path: Path) -> None:
    file = manifest(tmp_path)
    file.write_text(file.read_text().replace("name: ratings", "name: ratings\n  namespace: team-a"))

    error = run(file, "-n", "team-b").exception

    assert isinstance(error, UsageError)
    assert "-n team-b: RewardModelRun ratings names team-a in metadata.namespace" in str(error)
    assert run(file, "-n", "team-a").exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs: {imagge: x}\n", "runs.imagge"),
        ("imagge: x\n", "imagge"),
        ("runs: {graceSeconds: soon}\n", "runs.graceSeconds"),
        ("defaults: {imagge: x}\n", "defaults.imagge"),
        ("namespaces: {a: {storage: {region: eu}}}\n", "namespaces.a.storage.uri"),
        ("defaults: {}\nnamespaces: {a: {imagge: x}}\n", "namespaces.a.imagge"),
        ("runs:\n  env: [\n", "line 3"),
        ("a: 1\n---\nb: 2\n", "2 documents"),
        ("- a\n", "no mapping"),
        ("runs: {storage: {uri: 's3://b'}}\n", "defaults.storageUri"),
        ("runs: {storage: {uri: 's3://runs', secretName: a.b}}\n", "defaults.storageSecretName"),
        (
            "runs: {storage: {uri: 's3://runs'}, podTemplate: {spec: {volumes: [{emptyDir: {}}]}}}\n",
            "runs.podTemplate.spec.volumes[0].name",
        ),
    ],
)
def test_wrong_settings_are_one_line_that_names_the_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(text)

    error = run(manifest(tmp_path), "--settings", file).exception

    assert isinstance(error, UsageError | InvalidRecipe)
    assert words in str(error)
    assert "\n" not in str(error)
    assert isinstance(error, InvalidRecipe) or str(error).startswith(str(file))


def test_settings_that_are_not_there_or_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    missing = run(manifest(tmp_path), "--settings", file).exception
    file.write_bytes(b"\xff\xfe")
    binary = run(manifest(tmp_path), "--settings", file).exception

    assert (isinstance(missing, UsageError), isinstance(binary, UsageError)) == (True, True)
    assert (str(file) in str(missing), "byte 0" in str(binary)) == (True, True)


def test_files_beside_the_manifest_are_shown_with_the_reason_why_a_cluster_refuses_them(
    tmp_path: Path,
) -> None:
    model(tmp_path / "base")
    file = manifest(tmp_path, baseModel={"uri": "file://./base"}, dataset={"train": "file://./train.jsonl"})

    result = run(file)

    refusals = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.exit_code == InvalidRecipe.exit_code
    assert [one["kind"] for one in yaml.safe_load_all(result.stdout)] == ["NetworkPolicy", "PyTorchJob"]
    assert len(refusals) == 1
    assert "spec.baseModel.uri, spec.dataset.train: file://./base lies beside the manifest" in refusals[0]


def test_the_estimate_counts_rows_and_parameters_of_this_machine(tmp_path: Path) -> None:
    model(tmp_path / "base")
    (tmp_path / "train.jsonl").write_text('{"a": 1}\n' * 100 + "\n")
    file = manifest(tmp_path, baseModel={"uri": "file://./base"}, dataset={"train": "file://./train.jsonl"})

    found = json.loads(run(file, "--output", "json").stdout)[0]["estimate"]

    assert found["parameters"] == found["trainedParameters"] == 56
    assert found["checkpointBytes"] == 12 * 56
    assert found["deviceMemory"]["weights"] == 4 * 56
    assert (found["effectiveBatchSize"], found["stepsPerEpoch"], found["steps"]) == (16, 7, 14)
    # 16 of the 56 parameters are no embedding; 2048 tokens is the longest text.
    assert found["operations"] == 6 * 16 * 14 * 16 * 2048
    longest = found["operations"] / 1.5e11
    # A row of 9 bytes has about 2 tokens of the 2048: between that at twice the speed, and all at half.
    assert found["seconds"] == {
        "least": pytest.approx(longest * 9 / 4 / 2048 / 2),
        "most": pytest.approx(longest * 2),
    }


def test_the_estimate_counts_the_rows_that_training_reads(tmp_path: Path) -> None:
    model(tmp_path / "base")
    (tmp_path / "rows" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.jsonl", ".ipynb_checkpoints/a-checkpoint.jsonl"):
        (tmp_path / "rows" / name).write_text('{"a": 1}\n' * 64)
    (tmp_path / "rows" / "b.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 48))
    file = manifest(tmp_path, baseModel={"uri": "file://./base"}, dataset={"train": "file://./rows"})

    found = json.loads(run(file, "--output", "json").stdout)[0]["estimate"]

    assert found["stepsPerEpoch"] == 7


def test_the_estimate_goes_to_standard_error_or_not_at_all(tmp_path: Path) -> None:
    file = manifest(tmp_path)

    assert "effective batch 16 = 4 per device × 4 accumulation × 1 processes" in run(file).stderr
    assert "effective batch" not in run(file, "--no-estimate").stderr


def test_a_workspace_that_holds_too_little_is_told_with_the_field_to_set(tmp_path: Path) -> None:
    named = manifest(tmp_path, baseModel={"uri": "hf://Qwen/Qwen2.5-7B"})

    def told(*more: str) -> list[str]:
        return [line for line in run(named, *more).stderr.splitlines() if "workspace" in line]

    assert told() == [
        "RewardModelRun ratings: spec.workspace.size: 50.0 GiB do not hold about 352.0 GiB at once "
        "(base model 13.0 GiB, 4 checkpoints 312.9 GiB, finished model 26.1 GiB; by the model's name); "
        "set spec.workspace.size to 390Gi"
    ]
    (fits,) = told("--set", "spec.workspace.size=390Gi")
    assert fits.startswith("RewardModelRun ratings: workspace: about 352.0 GiB at once")
    assert fits.endswith("of 390.0 GiB")


def test_a_workspace_holds_the_files_that_a_node_fetches(tmp_path: Path) -> None:
    model(tmp_path / "base")
    (tmp_path / "train.jsonl").write_text('{"a": 1}\n' * 100)
    spec = {"baseModel": {"uri": "file://./base"}, "dataset": {"train": "file://./train.jsonl"}}

    def contents(**more: object) -> dict[str, int]:
        found = json.loads(run(manifest(tmp_path, **spec, **more), "--output", "json").stdout)[0]
        kept: dict[str, int] = found["estimate"]["workspace"]["contents"]
        return kept

    fetched = sum(one.stat().st_size for one in (tmp_path / "base").iterdir())
    assert contents() == {
        "base model": fetched,
        "data": 900,
        "checkpoints": 3 * 12 * 56,
        "finished model": 4 * 56,
    }
    assert contents(workspace={"cacheClaimName": "cache"}).keys() == {"checkpoints", "finished model"}


def test_of_a_script_of_the_user_s_own_no_workspace_is_judged(tmp_path: Path) -> None:
    own = manifest(tmp_path, baseModel={"uri": "hf://Qwen/Qwen2.5-7B"}, runtime={"command": ["train.py"]})

    assert json.loads(run(own, "--output", "json").stdout)[0]["estimate"]["workspace"] is None


def test_a_waiting_dependency_is_assumed_to_succeed(tmp_path: Path) -> None:
    file = manifest(tmp_path, baseModel={"fromRun": {"kind": "SFTRun", "name": "chat"}})

    result = run(file)

    assert result.exit_code == 0
    assert "/default/SFTRun/chat/artifacts/model-a0001" in result.stdout


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 40, (5).to_bytes(8, "little") + b"nojso", (2).to_bytes(8, "little") + b"[]"]
)
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    folder = model(tmp_path / "base")
    (folder / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelNotFound, match=r"model\.safetensors: not a file of safetensors"):
        model_shape(folder)


def test_a_model_without_safetensors_has_no_shape(tmp_path: Path) -> None:
    assert model_shape(tmp_path) is None


def test_planning_imports_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from trainjobs.cli.app import app; "
        f"app(['plan', {str(manifest(tmp_path))!r}], standalone_mode=False); "
        "assert 'torch' not in sys.modules and 'boto3' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
