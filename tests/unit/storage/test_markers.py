"""Folder markers are told from files, whatever lies below them."""

from hypothesis import given
from hypothesis import strategies as st

from trainjobs.storage.markers import without_markers
from trainjobs.storage.store import ObjectInfo

NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(NAMES, st.integers(0, 2)), st.sets(NAMES))
def test_what_is_left_of_a_listing_are_the_files(sizes: dict[str, int], markers: set[str]):
    # What a file system can hold: no file is the folder of another.
    files = {
        key: size for key, size in sizes.items() if not any(other.startswith(f"{key}/") for other in sizes)
    }
    listed = [ObjectInfo(key, size) for key, size in files.items()]
    listed += [ObjectInfo(key, 0) for key in markers if key not in files and _is_folder(key, files)]
    listed += [ObjectInfo("", 0)]
    left = list(without_markers(listed, "", files.__contains__))
    assert {info.key: info.size for info in left} == files
    assert len(left) == len(files)


def _is_folder(key: str, files: dict[str, int]) -> bool:
    """Whether a marker can stand there: nowhere below a file."""
    return not any(key.startswith(f"{file}/") for file in files)


def test_a_marker_beside_a_file_of_its_name_is_passed_over():
    listed = [ObjectInfo("a", 5), ObjectInfo("a", 0), ObjectInfo("empty", 0), ObjectInfo("gone", 0)]
    assert list(without_markers(listed, "", {"a", "empty"}.__contains__)) == [listed[0], listed[2]]
    assert list(without_markers([ObjectInfo("f", 0)], "f", lambda _: True)) == []
