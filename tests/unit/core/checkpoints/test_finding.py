"""What a node found damaged, written down, read back, and heeded by those that choose."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import CheckpointRef, finding_key, parse_finding_key
from trainjobs.core.checkpoints.resume import Resume, candidates
from trainjobs.errors import CorruptCheckpoint

NOW = datetime(2026, 11, 29, tzinfo=UTC)
refs = st.builds(CheckpointRef, st.integers(0, 4), st.integers(1, 3))
findings = st.builds(Finding, st.integers(1, 6), st.integers(1, 3), refs, st.text(max_size=9), st.just(NOW))


@given(findings)
def test_a_finding_reads_back_as_it_was_written(found: Finding) -> None:
    assert Finding.from_json(found.to_json(), "f") == found
    assert parse_finding_key(finding_key(found.attempt, found.node)) == (found.attempt, found.node)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"node": 1', b'"node": 0', "node 0 is outside"),
        (b'"checkpoint"', b'"check"', "field checkpoint is missing"),
        (b'"step": 5', b'"stop": 5', "checkpoint: field step must be a whole number"),
        (b"{", b"", "not JSON"),
    ],
)
def test_a_wrong_finding_says_what_is_wrong(old: bytes, new: bytes, message: str) -> None:
    written = Finding(3, 1, CheckpointRef(5, 2), "cut off", NOW).to_json()
    assert old in written
    with pytest.raises(CorruptCheckpoint, match=f"^f.*{message}"):
        Finding.from_json(written.replace(old, new, 1), "f")


@pytest.mark.parametrize(
    "key", ["attempts/0003.json", "attempts/0003.damaged-0000.json", "attempts/003.damaged-0001.json", "x"]
)
def test_other_keys_are_no_findings(key: str) -> None:
    assert parse_finding_key(key) is None


@given(st.sets(refs, min_size=1), st.lists(findings))
def test_what_a_node_could_not_read_is_tried_after_what_nobody_complained_of(
    own: set[CheckpointRef], told: list[Finding]
) -> None:
    found = candidates(Resume.AUTO, own, told)
    assert set(found) == own
    complained = {one.checkpoint for one in told}
    good = sorted(own - complained, reverse=True)
    assert list(found[: len(good)]) == good


@given(st.sets(refs, min_size=1, max_size=4))
def test_where_every_try_fails_every_checkpoint_has_its_turn(own: set[CheckpointRef]) -> None:
    told: list[Finding] = []
    for attempt in range(1, len(own) + 1):
        chosen = candidates(Resume.AUTO, own, told)[0]
        assert isinstance(chosen, CheckpointRef)
        told += [Finding(attempt, node, chosen, "damaged", NOW) for node in (1, 2)]
    assert {one.checkpoint for one in told} == own
