"""Several runs are taken in the order of their dependencies."""

import pytest

from tests.unit.local.conftest import MakeRun
from trainjobs.errors import InvalidRecipe
from trainjobs.local.ordering import in_order


def test_a_run_comes_after_the_one_it_starts_from(make_run: MakeRun) -> None:
    runs = [make_run("third", from_run="second"), make_run("second", from_run="first"), make_run("first")]
    assert [run.metadata.name for run in in_order(runs)] == ["first", "second", "third"]


def test_a_dependency_that_is_not_among_them_is_no_obstacle(make_run: MakeRun) -> None:
    assert [run.metadata.name for run in in_order([make_run("only", from_run="elsewhere")])] == ["only"]


def test_runs_that_wait_for_each_other_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(
        InvalidRecipe, match=r"wait for each other: .*one.*two|wait for each other: .*two.*one"
    ):
        in_order([make_run("one", from_run="two"), make_run("two", from_run="one")])


def test_two_runs_of_one_name_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(InvalidRecipe, match="RewardModelRun same: stands twice"):
        in_order([make_run("same"), make_run("same")])
