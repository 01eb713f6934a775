"""What the library is given has the types that it declares, or the run ends before its first step."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.tiny import figures, make_recipe, train
from trainjobs.cli.library import library_arguments
from trainjobs.core.recipe.extra_arguments import OURS
from trainjobs.ml.training.library import declared_arguments

SIMPLE = {"int", "float", "bool", "str", "list", "dict", "None"}


def test_the_source_says_of_every_argument_what_the_library_itself_says() -> None:
    read = library_arguments()
    assert read is not None
    shown = {name: kinds & SIMPLE for name, kinds in read.items()}
    declared = {name: kinds & SIMPLE for name, kinds in declared_arguments().items() if name in read}
    assert shown == declared
    assert OURS.keys() <= read.keys()


def test_a_number_written_as_a_text_reaches_the_optimizer_as_a_number(
    tmp_path: Path, bert: Path, rows: Path
) -> None:
    extra = {
        "adam_epsilon": "1e-8",
        "lr_scheduler_type": "cosine_with_restarts",
        "lr_scheduler_kwargs": {"num_cycles": "2"},
    }
    training = {"maxSteps": 2, "epochs": None, "extraArguments": extra}
    assert train(make_recipe(tmp_path, bert, rows, training=training)) == 0
    assert len(figures(tmp_path / "output")) == 2


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"adam_epsilon": "tiny"}, 'extraArguments.adam_epsilon: "tiny" is not allowed; give a number'),
        ({"adam_beta1": [0.9]}, "extraArguments.adam_beta1: [0.9] is not allowed; give a number"),
        ({"optim": "adamx"}, "extraArguments.optim: adamx is not a valid OptimizerNames"),
        (
            {"lr_scheduler_type": "polynomial", "lr_scheduler_kwargs": {"power": "steep"}},
            'extraArguments.lr_scheduler_kwargs.power: "steep" is not allowed; give a number',
        ),
        (
            {"lr_scheduler_type": "cosine", "lr_scheduler_kwargs": {"cycles": 2}},
            "extraArguments.lr_scheduler_kwargs.cycles: the schedule cosine has no such argument",
        ),
        ({"optim": "galore_adamw"}, "spec.training.extraArguments: "),
        (
            {"use_liger_kernel": "yes please"},
            'use_liger_kernel: "yes please" is not allowed; give true or false',
        ),
        ({"save_total_limit": 1}, "save_total_limit: not passed through; set spec.checkpoints.keepLatest"),
    ],
)
def test_what_the_library_does_not_take_is_refused_before_the_first_step(
    tmp_path: Path, bert: Path, rows: Path, capsys: pytest.CaptureFixture[str],
    extra: dict[str, Any], said: str,
) -> None:  # fmt: skip
    assert train(make_recipe(tmp_path, bert, rows, training={"extraArguments": extra})) == 10
    assert said in capsys.readouterr().err
    assert not (tmp_path / "output" / "metrics.jsonl").exists()
