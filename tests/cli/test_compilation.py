"""A training whose library compiles before its first step says what it waits for."""

from pathlib import Path

import pytest

from tests.cli.conftest import Bench
from tests.cli.test_trained import base, manifest  # noqa: F401

# The compiler itself takes half a minute.
pytestmark = pytest.mark.acceptance

SHARDS = {"processesPerNode": 2, "strategy": {"type": "DeepSpeed", "deepSpeed": {"stage": 2}}}


def test_deepspeed_s_compiler_is_waited_for_in_one_line(
    bench: Bench,
    base: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    two_steps = {"maxSteps": 2, "epochs": None}
    ended = bench.run(
        "run",
        manifest(bench, base, topology=SHARDS, training=two_steps),
        TORCH_EXTENSIONS_DIR=str(tmp_path / "extensions"),
    )
    assert ended.returncode == 0, ended.stderr
    assert list((tmp_path / "extensions").rglob("*.so"))
    told = [line for line in ended.stderr.splitlines() if "waits for a compiler" in line]
    assert len(told) == 1, ended.stderr
    assert "extensions are built, once on every machine" in told[0]
    assert ", since " in told[0]
