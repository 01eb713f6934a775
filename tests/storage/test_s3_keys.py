"""Keys that S3 allows: all that can be paths come back as they are, the others are refused by name."""

from pathlib import Path

import pytest

from tests.harness.s3_in_memory import S3InMemory
from tests.harness.versitygw import S3Server
from trainjobs.errors import InvalidRecipe


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("runs/a//b", "runs/a//b"),
        ("runs//b", "runs//b"),
        ("runs/../../etc/passwd", "runs/../../etc/passwd"),
        ("runs/./b", "runs/./b"),
        ("runs/a\nb", "runs/a\\nb"),
    ],
)
def test_a_key_that_cannot_be_a_path_is_refused_once_and_named(server: S3InMemory, key: str, named: str):
    store = server.open("s3://b/runs")
    server.objects.buckets["b"] |= {"runs/good": b"1", key: b"1"}
    before = len(server.asked)
    with pytest.raises(InvalidRecipe) as caught:
        list(store.list())
    assert f"holds the key '{named}', which cannot be the path of a file" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(server.asked) == before + 1


def test_keys_of_any_letters_come_back_as_they_are(server: S3InMemory, tmp_path: Path):
    store = server.open("s3://b/runs")
    for key in ("a b", "a%41", "a+b", "ä/准.json", "c#d?e=f&g", "<x>'\"", "~tilde", "a:b"):
        store.put(key, key.encode())
        assert [info.key for info in store.list()] == [key]
        store.get_file(key, str(tmp_path / "back"))
        assert (tmp_path / "back").read_bytes() == key.encode()
        store.delete([key])
        assert list(store.list()) == []


def test_markers_of_a_real_server_are_no_files(s3_environment: S3Server):
    uri = s3_environment.make_bucket("markers")
    s3_environment.put_markers(
        "markers", "models/", "models/tiny/", "models/tiny/deep/", "models/tiny/empty/"
    )
    store = s3_environment.open(f"{uri}/models/tiny")
    store.put("config.json", b"{}")
    store.put("deep/nothing", b"")
    assert {info.key: info.size for info in store.list()} == {"config.json": 2, "deep/nothing": 0}
    assert [info.key for info in store.list("deep")] == ["deep/nothing"]
    assert s3_environment.open(f"{uri}/models").head("tiny") is None
    store.delete_folder("")
    assert list(store.list()) == []
