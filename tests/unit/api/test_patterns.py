# ruff: noqa: E501  # messages stand as they are said, unbroken
"""Every refusal of a pattern says which part of the text is wrong."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from tests.unit.api.test_metadata import said
from trainjobs.api import crd
from trainjobs.api.patterns import PARTS, wrong_part
from trainjobs.api.runs import KINDS

URI = "give file:///path, file://./path beside the manifest, s3://bucket/path, pvc://claim/path"


@pytest.mark.parametrize(
    ("uri", "part"),
    [
        ("s3://hh/rows", "the name of a bucket has 3 to 63 characters, and hh has 2"),
        (f"s3://{'b' * 64}/rows", f"the name of a bucket has 3 to 63 characters, and {'b' * 64} has 64"),
        ("s3://Rows/x", "the name of the bucket holds 'R', and takes lower-case letters, digits, '-' and '.' only"),
        ("s3://my_rows/x", "the name of the bucket holds '_', and takes lower-case letters, digits, '-' and '.' only"),
        ("s3://-rows/x", "the name of a bucket begins and ends with a letter or digit"),
        ("s3:///rows", "it names no bucket"),
        ("pvc:///rows", "it names no claim"),
        ("pvc://Data/rows", "the name of the claim holds 'D', and takes lower-case letters, digits and '-' only"),
        ("file://data/rows", "'data' stands where a host would; a path begins with / or ./"),
        ("/data/rows", "it has no scheme"),
        ("https://host/rows", "the scheme 'https' is not among file, s3, pvc, hf, configMap"),
        ("S3://bucket/rows", "the scheme 'S3' is not among file, s3, pvc, hf, configMap"),
        ("hf://", "it names no repository"),
        ("hf://org/", "it names no repository"),
        ("hf://org/my model", "the name my model on the hub holds ' ', and takes letters, digits, '_', '-' and '.' only"),
        ("hf://org/a--b", "the name a--b on the hub begins or ends with '-' or '.', or has two of them side by side"),
        ("hf://org/name@", "@ and a revision stand behind the name, once"),
        ("configMap://rows", "it names no key of the ConfigMap"),
        ("s3://bucket/a\nb", "it holds a line break"),
    ],
)  # fmt: skip
def test_a_uri_is_refused_with_the_part_that_is_wrong(uri: str, part: str) -> None:
    (message,) = said({"dataset": {"train": uri}})
    assert f" is not allowed: {part}; {URI}" in message


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"runPolicy": {"queueName": "Team"}}, "it holds 'T', and takes lower-case letters, digits and '-' only"),
        ({"runPolicy": {"queueName": "1team"}}, "it may not begin or end with '1'"),
        ({"runPolicy": {"queueName": "team-"}}, "it may not begin or end with '-'"),
        ({"checkpoints": {"keepBest": {"metric": "my metric"}}}, "it holds ' ', and takes"),
        ({"checkpoints": {"keepBest": {"metric": "-x"}}}, "it may not begin with '-'"),
        ({"checkpoints": {"storage": {"endpoint": "s3.host"}}}, "it has no scheme"),
        ({"checkpoints": {"storage": {"endpoint": "tcp://s3.host"}}}, "its scheme is 'tcp'"),
        ({"runtime": {"env": [{"name": "A-B", "value": ""}]}}, "it holds '-', and takes letters, digits and '_' only"),
    ],
)  # fmt: skip
def test_other_texts_are_too(spec: dict[str, Any], words: str) -> None:
    (message,) = said(spec)
    assert f" is not allowed: {words}" in message


def _patterns(node: Mapping[str, Any]) -> set[str]:
    found = {inner["pattern"] for _, inner in crd.walk(node) if "pattern" in inner}
    maps = [inner["additionalProperties"] for _, inner in crd.walk(node) if "additionalProperties" in inner]
    return found | {one["pattern"] for one in maps if "pattern" in one}


@pytest.mark.parametrize(
    "name", ["bert-base-uncased", "gpt2@v2", "Qwen/Qwen2.5-7B@main", "a/b@v1/data/train.jsonl", "a/_b"]
)
def test_what_the_hub_calls_a_repository_is_taken(name: str) -> None:
    assert said({"baseModel": {"uri": f"hf://{name}"}}) == []


def test_every_pattern_of_a_manifest_is_in_the_table() -> None:
    assert {
        pattern for kind in KINDS for pattern in _patterns(crd.schema(kind)["properties"]["spec"])
    } <= set(PARTS)


_TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("aZ09-_./:+@ \n", max_size=12),
    st.from_regex(r"\A(s3|pvc|file|hf|configMap|http|https)://[aZ09._/\n-]{0,12}\Z"),
    st.from_regex(r"\A[-+]?[0-9.]{0,4}[a-zA-Z]{0,3}[0-9]{0,3}\Z"),
)


@given(st.sampled_from(list(PARTS)), _TEXTS)
def test_whatever_a_pattern_refuses_has_a_part_that_is_wrong(pattern: str, text: str) -> None:
    adapter = _ADAPTERS[pattern]
    try:
        adapter.validate_python(text)
    except ValidationError:
        said = wrong_part(pattern, text)
        assert said is not None
        assert re.match(r"\S", said)


_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    pattern: TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)]) for pattern in PARTS
}
