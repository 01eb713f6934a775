# ruff: noqa: E501  # messages stand as they are said, unbroken
"""Metadata are judged as an API server judges them, and what is wrong with them is said."""

import json
import re
from typing import Any

import pytest
from hypothesis import given

from tests.unit.api.written import QUANTITIES, WORDS
from trainjobs.api.manifest import Reading, check

# Word for word from k8s.io/apimachinery/pkg/util/validation.
QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = rf"({QUALIFIED})?"
DNS_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{DNS_LABEL}(\.{DNS_LABEL})*"


def reading(spec: dict[str, Any] | None = None, **metadata: Any) -> Reading:
    body = {
        "apiVersion": "trainjobs.dev/v1alpha1",
        "kind": "SFTRun",
        "metadata": {"name": "chat", **metadata},
        "spec": {"baseModel": {"uri": "hf://a/b"}, "dataset": {"train": "s3://bucket/rows"}, **(spec or {})},
    }
    return check(json.dumps(body), "m")


def said(spec: dict[str, Any] | None = None, **metadata: Any) -> list[str]:
    return [fault.message for fault in reading(spec, **metadata).faults]


def is_qualified(name: str) -> bool:
    prefix, slash, word = name.rpartition("/")
    good = len(word) <= 63 and re.fullmatch(QUALIFIED, word) is not None
    return good and (not slash or (len(prefix) <= 253 and re.fullmatch(SUBDOMAIN, prefix) is not None))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            {"labels": {"team": "a" * 80}},
            f"metadata.labels.team: '{'a' * 58}… is not allowed: it has 80 characters, at most 63 are allowed; give at most "
            "63 letters, digits, '-', '_' and '.', as text (longer texts go into annotations)",
        ),
        (
            {"labels": {"team": "研究组"}},
            "metadata.labels.team: '研究组' is not allowed: it holds '研', and takes letters, digits, '-', '_' and '.' only; "
            "give at most 63 letters, digits, '-', '_' and '.', as text (longer texts go into annotations)",
        ),
        (
            {"labels": {"my team": "a"}},
            "metadata.labels[\"my team\"]: the key is not allowed: it holds ' ', and takes letters, digits, '-', '_' and '.' "
            "only; give it as name or domain/name, the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        (
            {"labels": {"Example.com/team": "a"}},
            "metadata.labels[\"Example.com/team\"]: the key is not allowed: what stands before '/' holds 'E', and takes "
            "lower-case letters, digits, '-' and '.' only; give it as name or domain/name, the name of at most 63 letters, "
            "digits, '-', '_' and '.'",
        ),
        (
            {"annotations": {"a/b/c": "x"}},
            "metadata.annotations[\"a/b/c\"]: the key is not allowed: it holds more than one '/'; give it as name or "
            "domain/name, the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        (
            {"namespace": "My_NS"},
            "metadata.namespace: 'My_NS' is not allowed: it holds 'M', and takes lower-case letters, digits and '-' only; give "
            "at most 63 lower-case letters, digits and '-'",
        ),
        (
            {"finalizers": ["a b"]},
            "metadata.finalizers[0]: 'a b' is not allowed: it holds ' ', and takes letters, digits, '-', '_' and '.' only; give "
            "name or domain/name, the name of at most 63 letters, digits, '-', '_' and '.'",
        ),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
            "metadata.ownerReferences[0].uid: is missing; add it: text (in quotes where YAML would read a number or a yes)",
        ),
    ],
)  # fmt: skip
def test_what_an_api_server_would_refuse_is_refused_and_the_wrong_part_named(
    metadata: dict[str, Any], words: str
) -> None:
    assert said(**metadata) == [words]


def test_annotations_have_a_size_in_all_bytes_counted() -> None:
    fits = {"a": "名" * ((256 * 1024 - 4) // 3), "b": "xx"}
    assert said(annotations=fits) == []
    (message,) = said(annotations=fits | {"b": "xxx"})
    assert message.startswith('metadata.annotations: {"a": "名名')
    assert "names and values have 262145 bytes in all, at most 262144 are allowed; give" in message


def test_a_label_without_a_value_is_an_empty_one_and_an_empty_namespace_none() -> None:
    (run,) = reading(labels={"gpu": None}, annotations={"note": None}, namespace="").runs
    assert (run.metadata.labels, run.metadata.annotations) == ({"gpu": ""}, {"note": ""})
    assert run.metadata.namespace == "default"


@given(WORDS)
def test_keys_and_values_are_accepted_as_kubernetes_own_patterns_do(word: str) -> None:
    assert (said(labels={word: "x"}) == []) == is_qualified(word)
    assert (said(annotations={word: word}) == []) == is_qualified(word.lower())
    assert (said(finalizers=[word]) == []) == is_qualified(word)
    fits = len(word) <= 63
    assert (said(labels={"key": word}) == []) == (fits and re.fullmatch(LABEL_VALUE, word) is not None)
    is_namespace = word == "" or (fits and re.fullmatch(DNS_LABEL, word) is not None)
    assert (said(namespace=word) == []) == is_namespace


@pytest.mark.parametrize(
    "quantity", ["500k", "1e3", "128Mi", "100m", "0.5", ".5", "5.", "+2", "16Gi", "1E", "2E6", 4, 0]
)
def test_a_quantity_that_kubernetes_reads_is_taken(quantity: object) -> None:
    assert said({"resources": {"limits": {"memory": quantity}}}) == []


@pytest.mark.parametrize(
    ("quantity", "part"),
    [
        ("1.2.3", "its number has more than one '.'"),
        ("...", "it does not begin with a number"),
        ("16K", "the suffix for 1000 is k, for 1024 Ki"),
        ("16gb", "'gb' is no suffix; known are m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"),
        ("16 Gi", "' Gi' is no suffix; known are m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei"),
        ("-1", "it is negative"),
        ("", "it does not begin with a number"),
    ],
)
def test_a_quantity_that_kubernetes_cannot_read_is_refused_with_the_wrong_part(
    quantity: str, part: str
) -> None:
    assert said({"workspace": {"size": quantity}}) == [
        f"spec.workspace.size: '{quantity}' is not allowed: {part}; give a quantity such as 2, 500m or 16Gi"
    ]


@given(QUANTITIES)
def test_a_quantity_is_refused_with_a_reason_or_taken(quantity: str) -> None:
    for message in said({"workspace": {"size": quantity}}):
        assert " is not allowed: " in message
