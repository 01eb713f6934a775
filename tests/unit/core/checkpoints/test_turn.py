"""What node 0 says of the checkpoint that all nodes store now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.checkpoints.turn import Turn
from trainjobs.errors import CorruptCheckpoint

steps = st.integers(0, 99)
turns = st.builds(
    Turn,
    st.integers(1, 6),
    st.none() | steps,
    st.frozensets(steps),
    st.frozensets(st.text(min_size=1, max_size=9)),
)


@given(turns)
def test_a_turn_reads_back_as_it_was_written(said: Turn) -> None:
    assert Turn.from_json(said.to_json(), "t") == said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"attempt": 3', b'"attempt": 0', "attempt 0 is outside"),
        (b'"files": [', b'"files": [1, ', "field files must be a list of text"),
        (b'"waiting": [', b'"waiting": [true, ', "field waiting must be a list of whole numbers"),
        (b"{", b"", "not JSON"),
    ],
)
def test_a_wrong_turn_says_what_is_wrong(old: bytes, new: bytes, message: str) -> None:
    written = Turn(3, 5, frozenset({8}), frozenset({"x"})).to_json()
    assert old in written
    with pytest.raises(CorruptCheckpoint, match=f"^t.*{message}"):
        Turn.from_json(written.replace(old, new, 1), "t")


def test_what_node_0_has_passed_over_is_neither_stored_nor_waiting_nor_newer() -> None:
    turn = Turn(1, 5, frozenset({8, 9}))
    assert [step for step in range(12) if not turn.passes(step)] == [5, 8, 9, 10, 11]
    assert Turn(1, None).passes(12)
