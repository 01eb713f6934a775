"""Paths for property tests: whatever a file system lets them hold."""

from pathlib import PurePosixPath

from hypothesis import strategies as st

_NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
# Chance alone seldom finds what URIs give a meaning to.
_SPECIAL = [
    "a b", " ", "\n", "proj#old", "rows?.jsonl", "a%41", "%2e%2e", "x;y=1", "user@host", "[1]", "é", "~", ":"
]  # fmt: skip
NAMES = _NAMES | st.sampled_from(_SPECIAL)
"""Names of files and folders."""


def absolute_paths() -> st.SearchStrategy[PurePosixPath]:
    """Paths from the root."""
    return st.lists(NAMES, min_size=1, max_size=4).map(lambda names: PurePosixPath("/", *names))
