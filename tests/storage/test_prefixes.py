"""A prefix is the one that is typed, whatever stands in it."""

import pytest

from tests.harness.s3_in_memory import S3InMemory
from trainjobs.storage.opening import open_store


@pytest.mark.parametrize("prefix", ["a b", "a%20b", "run#3", "rows?x=1", "é/名前", "x+y&z=~", "[1]*"])
def test_objects_lie_below_the_prefix_that_is_typed(server: S3InMemory, prefix: str):
    open_store(f"s3://b/{prefix}").put("checkpoints/a", b"1")
    assert list(server.objects.buckets["b"]) == [f"{prefix}/checkpoints/a"]
    again = open_store(f"s3://b/{prefix}")
    assert [info.key for info in again.list()] == ["checkpoints/a"]
    assert again.get("checkpoints/a") == b"1"
    again.delete(["checkpoints/a"])
    assert server.objects.buckets["b"] == {}
