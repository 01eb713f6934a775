"""ZeRO on processes without accelerators: shards, not copies."""

from pathlib import Path

from tests.training.test_loss_invariance import run_processes
from tests.training.tiny import figures, make_recipe
from trainjobs.core.outputs import SavedMark


def test_two_processes_share_the_optimizer_of_zero_2(tmp_path: Path, steady_bert: Path, rows: Path) -> None:
    # check_sharded ends a run that is not partitioned.
    recipe = make_recipe(
        tmp_path,
        steady_bert,
        rows,
        training={"batchSizePerDevice": 8, "maxSteps": 4, "epochs": None},
        processes={
            "nodes": 1,
            "perNode": 2,
            "strategy": {"type": "DeepSpeed", "deepSpeed": {"stage": 2}},
        },
    )
    run_processes(recipe, 2)
    output = tmp_path / "output"
    assert len(figures(output)) == 4
    checkpoint = output / "checkpoint-4"
    assert SavedMark.model_validate_json((checkpoint / "trainjobs-saved.json").read_bytes()).step == 4
    shards = sorted(path.name for path in checkpoint.rglob("*optim_states.pt"))
    assert len(shards) == 2
    assert (output / "model" / "model.safetensors").is_file()
