import sys
from pathlib import Path

import pytest

from trainjobs.agent.launch import Rendezvous, plan_launch
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidRecipe

INPUTS = Inputs(model="/m", tokenizer="/t", train="/d/train.jsonl", output="/w/output")
HERE = Rendezvous(attempt=3, node_rank=1, address="10.0.0.1", port=29400)


def recipe(nodes: int = 1, per_node: int = 1, **changes: object) -> Recipe:
    return Recipe.model_validate(
        {
            "run": {"kind": "SFTRun", "namespace": "ml", "name": "tiny", "uid": "12345678-x"},
            "task": "SFT",
            "model": {"uri": "file:///m"},
            "dataset": {"train": "file:///d/train.jsonl"},
            "training": {},
            "processes": {"nodes": nodes, "perNode": per_node},
            "checkpoints": {},
            "limits": {"startTimeoutSeconds": 1, "hangTimeoutSeconds": 1},
            "store": "file:///s",
            **changes,
        }
    )


def words(planned) -> list[str]:
    """The command without the leash and its parent."""
    return list(planned.command[5:])


def test_one_process_is_started_directly_and_alone():
    planned = plan_launch(recipe(), INPUTS, Path("/w/recipe.yaml"), HERE, {"PATH": "/bin"})
    assert words(planned) == [sys.executable, "-P", "-m", "trainjobs.ml.training", "/w/recipe.yaml"]
    assert "RANK" not in planned.environment
    assert planned.environment["TRAINJOBS_ATTEMPT"] == "3"
    assert planned.environment["PATH"] == "/bin"


def test_several_are_started_by_torchrun_with_a_static_meeting_point():
    planned = plan_launch(recipe(nodes=2, per_node=4), INPUTS, Path("/w/recipe.yaml"), HERE, {})
    command = words(planned)
    assert command[1:4] == ["-P", "-m", "torch.distributed.run"]
    assert {
        "--nnodes=2",
        "--node-rank=1",
        "--nproc-per-node=4",
        "--master-addr=10.0.0.1",
        "--master-port=29400",
        "--max-restarts=0",
    } <= set(command)
    assert command[-4:] == ["-P", "-m", "trainjobs.ml.training", "/w/recipe.yaml"]
    assert planned.environment["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"


def test_what_a_launcher_above_set_does_not_reach_the_processes():
    above = {"PET_NNODES": "7", "WORLD_SIZE": "14", "LOCAL_RANK": "3", "MASTER_ADDR": "x", "RANKING": "kept"}
    planned = plan_launch(recipe(), INPUTS, Path("/r"), HERE, above)
    assert above.keys() & planned.environment.keys() == {"RANKING"}


def test_threads_are_shared_out_unless_somebody_chose():
    assert int(plan_launch(recipe(), INPUTS, Path("/r"), HERE, {}).environment["OMP_NUM_THREADS"]) >= 1
    crowd = plan_launch(recipe(per_node=64), INPUTS, Path("/r"), HERE, {})
    assert crowd.environment["OMP_NUM_THREADS"] == "1"
    chosen = plan_launch(recipe(), INPUTS, Path("/r"), HERE, {"OMP_NUM_THREADS": "5"})
    assert chosen.environment["OMP_NUM_THREADS"] == "5"


def test_threads_wait_without_spinning_unless_somebody_chose():
    assert plan_launch(recipe(), INPUTS, Path("/r"), HERE, {}).environment["OMP_WAIT_POLICY"] == "PASSIVE"
    chosen = plan_launch(recipe(), INPUTS, Path("/r"), HERE, {"OMP_WAIT_POLICY": "ACTIVE"})
    assert chosen.environment["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_users_script_gets_its_paths_by_environment_and_by_reference(tmp_path):
    script = tmp_path / "train.py"
    script.touch()
    flags = ["--output_dir", "$(TRAINJOBS_OUTPUT_DIR)", "--resume=$(TRAINJOBS_RESUME_FROM)", "$(HOME)"]
    own = recipe(command=["python", str(script), *flags], env=[{"name": "NAME", "value": "v"}])
    planned = plan_launch(own, INPUTS, Path("/r"), HERE, {})
    assert words(planned) == [
        sys.executable,
        str(script),
        "--output_dir",
        "/w/output",
        "--resume=",
        "$(HOME)",
    ]
    environment = planned.environment
    assert environment["TRAINJOBS_TRAIN_DATA"] == "/d/train.jsonl"
    assert "TRAINJOBS_EVAL_DATA" not in environment
    assert (environment["RANK"], environment["WORLD_SIZE"], environment["NAME"]) == ("0", "1", "v")


def test_a_module_may_be_run_too():
    planned = plan_launch(recipe(command=["-m", "my.training", "x"]), INPUTS, Path("/r"), HERE, {})
    assert words(planned) == [sys.executable, "-m", "my.training", "x"]


@pytest.mark.parametrize("command", [["python"], ["/no/such/script.py"]])
def test_a_command_without_a_script_is_refused(command):
    with pytest.raises(InvalidRecipe, match=r"spec\.runtime\.command"):
        plan_launch(recipe(command=command), INPUTS, Path("/r"), HERE, {})
