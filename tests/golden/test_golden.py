"""Every example and golden manifest renders to what is checked in."""

from pathlib import Path

import pytest

from tests.golden.generate import EXPECTED, expected, manifests


@pytest.mark.parametrize("name", manifests())
def test_a_manifest_renders_to_the_expected_objects(name: str) -> None:
    wanted = EXPECTED / f"{name}.yaml"

    assert wanted.exists(), f"{wanted} is missing; run make generate"
    assert expected(manifests()[name]) == wanted.read_text(encoding="utf-8"), (
        "run make generate and look at it"
    )


def test_no_expected_file_is_left_without_its_manifest() -> None:
    assert {path.stem for path in EXPECTED.glob("*.yaml")} == set(manifests())


def test_the_golden_manifests_cover_every_kind_and_the_examples() -> None:
    kinds = {line for path in manifests().values() for line in path.read_text().splitlines()}

    assert {"kind: RewardModelRun", "kind: SFTRun", "kind: RLHFRun", "kind: PretrainRun"} <= kinds
    assert any("examples" in Path(path).parts for path in manifests().values())
