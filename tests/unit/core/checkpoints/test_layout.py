"""Keys are made and read back without loss, and nothing leaves its folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.layout import (
    ArtifactRef,
    CheckpointRef,
    attempt_key,
    parse_artifact_folder,
    parse_artifact_key,
    parse_attempt_key,
    parse_checkpoint_key,
    parse_checkpoint_name,
    resumption_key,
    run_prefix,
    safe_key,
    split_place,
)
from trainjobs.errors import InvalidRecipe

refs = st.builds(CheckpointRef, st.integers(0, 10**15), st.integers(1, 10**9))


def test_the_keys_are_the_documented_ones():
    assert (
        run_prefix("ml", "RewardModelRun", "ratings", "1a2b3c4d-5e6f") == "ml/RewardModelRun/ratings-1a2b3c4d"
    )
    assert attempt_key(3) == "attempts/0003.json"
    assert resumption_key(3) == "attempts/0003.resume.json"
    assert parse_attempt_key(resumption_key(3)) is None
    ref = CheckpointRef(step=100, attempt=3)
    assert ref.folder == "checkpoints/step-00000100-a0003"
    assert ref.manifest_key == "checkpoints/step-00000100-a0003/MANIFEST.json"
    assert ArtifactRef("model", 3).folder == "artifacts/model-a0003"


@given(refs)
def test_a_checkpoints_name_reads_back_as_the_same_checkpoint(ref: CheckpointRef):
    assert parse_checkpoint_name(ref.name) == ref
    assert parse_checkpoint_key(f"{ref.folder}/any/file") == ref
    assert parse_attempt_key(attempt_key(ref.attempt)) == ref.attempt


@given(st.builds(ArtifactRef, st.from_regex(r"[a-z0-9]+(-a?[0-9]+)?", fullmatch=True), st.integers(1, 10**9)))
def test_an_artifacts_folder_reads_back_as_the_same_artifact(ref: ArtifactRef):
    assert parse_artifact_folder(ref.folder) == ref
    assert parse_artifact_key(ref.manifest_key) == ref
    assert split_place(f"s3://models/run/{ref.folder}/") == ("s3://models/run", ref.folder)


@pytest.mark.parametrize(
    "folder",
    ["artifacts/model", "artifacts/model-a1", "artifacts/model-a0000", "artifacts/-a0001",
     "artifacts/model-a00001", "checkpoints/model-a0001", "artifacts/a..b-a0001", "model-a0001"],
)  # fmt: skip
def test_a_folder_that_is_almost_an_artifact_is_none(folder: str):
    assert parse_artifact_folder(folder) is None


@given(st.text(max_size=40))
def test_any_other_name_is_no_checkpoint(text: str):
    ref = parse_checkpoint_name(text)
    assert ref is None or ref.name == text


@given(refs, refs)
def test_two_checkpoints_never_share_a_folder(one: CheckpointRef, other: CheckpointRef):
    assert (one.folder == other.folder) == (one == other)


@given(st.lists(st.builds(CheckpointRef, st.integers(0, 10**8 - 1), st.integers(1, 9999)), max_size=20))
def test_the_order_of_names_is_the_order_of_steps(found: list[CheckpointRef]):
    assert sorted(found) == sorted(found, key=lambda ref: ref.name)


@pytest.mark.parametrize(
    "name",
    ["step-100-a0001", "step-00000100-a1", "step-00000100", "step-000000100-a0001", "step-00000100-a0000",
     "Step-00000100-a0001", "step-00000100-a0001 ", "step--0000100-a0001", "step-٠٠٠٠٠١٠٠-a0001"],
)  # fmt: skip
def test_a_name_that_is_almost_a_checkpoint_is_none(name: str):
    assert parse_checkpoint_name(name) is None


@pytest.mark.parametrize(
    "key",
    [
        "attempts/1.json",
        "attempts/0001",
        "attempts/x/0001.json",
        "0001.json",
        "attempts/00001.json",
        "attempts/0000.json",
    ],
)
def test_a_key_that_is_almost_a_claim_is_none(key: str):
    assert parse_attempt_key(key) is None


@given(st.text(st.sampled_from("ab./\\\0\n .é-"), max_size=12))
def test_a_key_that_is_accepted_stays_inside_its_root(key: str):
    try:
        safe_key(key)
    except InvalidRecipe:
        return
    path = PurePosixPath("/root") / key
    assert str(path) == f"/root/{key}"
    assert ".." not in path.parts


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("../x", "relative path"),
        ("a/../../x", "relative path"),
        ("/etc/passwd", "relative path"),
        ("C:\\x", "backslashes"),
        ("a\nb", "control characters"),
        ("\udc80", "not valid UTF-8"),
        ("x" * 256, "longer than 255"),
        ("x/" * 600 + "x", "more than 1024"),
        ("", "empty"),
        ("a/.weights.1f.partial", "kept for files being written"),
    ],
)
def test_a_key_that_is_refused_says_why(key: str, problem: str):
    with pytest.raises(InvalidRecipe, match=problem):
        safe_key(key)


@pytest.mark.parametrize(
    "parts",
    [
        ("..", "K", "n", "12345678"),
        ("ns", "K", "a/b", "12345678"),
        ("ns", "K", "n", "short"),
        ("", "K", "n", "12345678"),
        ("ns", "K", "n..m", "12345678"),
    ],
)  # fmt: skip
def test_a_run_whose_name_is_no_word_has_no_folder(parts: tuple[str, str, str, str]):
    with pytest.raises(InvalidRecipe, match=r"^run "):
        run_prefix(*parts)


@pytest.mark.parametrize(("step", "attempt"), [(-1, 1), (0, 0), (0, -1), (10**16, 1)])
def test_numbers_outside_their_range_are_our_own_mistake(step: int, attempt: int):
    with pytest.raises(ValueError, match="outside"):
        CheckpointRef(step, attempt)
