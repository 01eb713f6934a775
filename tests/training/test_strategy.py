"""FSDP: what the libraries make of its configuration, and where it is refused."""

from pathlib import Path

import pytest
from accelerate.utils import FullyShardedDataParallelPlugin
from torch.distributed.fsdp import CPUOffloadPolicy
from transformers import TrainingArguments

from tests.training.tiny import make_recipe, train
from trainjobs.api.topology import FSDP
from trainjobs.ml.training.strategy import fsdp_config


@pytest.mark.parametrize(
    ("options", "reshards", "offloads"),
    [(FSDP(), True, False), (FSDP(sharding="GradientsAndOptimizer", cpuOffload=True), False, True)],
)
def test_the_libraries_read_fsdp_as_the_manifest_says_it(
    tmp_path: Path, options: FSDP, reshards: bool, offloads: bool
) -> None:
    arguments = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, fsdp=True, fsdp_config=fsdp_config(options)
    )
    plugin = FullyShardedDataParallelPlugin(**arguments.fsdp_plugin_args)
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is reshards
    assert isinstance(plugin.cpu_offload, CPUOffloadPolicy) is offloads


def test_fsdp_is_refused_where_it_would_train_copies(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = {"nodes": 1, "perNode": 1, "strategy": {"type": "FSDP"}}
    assert train(make_recipe(tmp_path, bert, rows, processes=processes)) == 10
    assert "spec.topology.strategy: FSDP needs " in capsys.readouterr().err
