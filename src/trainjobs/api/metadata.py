"""Kubernetes' own part of a manifest, judged as an API server judges it.

No schema of ours describes it there: an API server decodes it by its own type and then judges names, labels,
annotations, owners and finalizers (`k8s.io/apimachinery/pkg/api/validation`). Each check here says which part
is wrong.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, StringConstraints

from trainjobs.api.base import NAME, Section, Text, shape, wrong
from trainjobs.api.patterns import strange

MAX_ANNOTATIONS: Final = 256 * 1024
"""Bytes of names and values that Kubernetes takes (`TotalAnnotationSizeLimitB`)."""
_MAX_WORD: Final = 63
_MAX_PREFIX: Final = 253
_WORD: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


RunName = Annotated[str, StringConstraints(pattern=NAME, max_length=40)]


def _word(text: str, what: str) -> str:
    if len(text) > _MAX_WORD:
        raise wrong(f"{what} has {len(text)} characters, at most {_MAX_WORD} are allowed")
    if not _WORD.fullmatch(text):
        raise wrong(_why(text, what, "letters, digits, '-', '_' and '.'", "[-A-Za-z0-9_.]"))
    return text


def _why(text: str, what: str, takes: str, character: str) -> str:
    if not text:
        return f"{what} is empty"
    return strange(text, what, takes, character) or f"{what} does not begin and end with a letter or digit"


def _qualified(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if slash:
        if "/" in prefix:
            raise wrong("it holds more than one '/'")
        if len(prefix) > _MAX_PREFIX:
            raise wrong(
                f"what stands before '/' has {len(prefix)} characters, at most {_MAX_PREFIX} are allowed"
            )
        if not _SUBDOMAIN.fullmatch(prefix):
            takes = "lower-case letters, digits, '-' and '.'"
            raise wrong(_why(prefix, "what stands before '/'", takes, "[-a-z0-9.]"))
    _word(name, "what stands after '/'" if slash else "it")
    return key


def _annotation_key(key: str) -> str:
    _qualified(key.lower())
    return key


def _label_value(value: str) -> str:
    return _word(value, "it") if value else value


def _namespace(name: str) -> str:
    if len(name) > _MAX_WORD:
        raise wrong(f"it has {len(name)} characters, at most {_MAX_WORD} are allowed")
    if not _LABEL.fullmatch(name):
        raise wrong(_why(name, "it", "lower-case letters, digits and '-'", "[-a-z0-9]"))
    return name


def _of_bounded_size(annotations: Mapping[str, str]) -> Mapping[str, str]:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in annotations.items())
    if size > MAX_ANNOTATIONS:
        raise wrong(f"names and values have {size} bytes in all, at most {MAX_ANNOTATIONS} are allowed")
    return annotations


def _or_nothing(value: object) -> object:
    """Take null for an empty text, as Kubernetes' decoder does in maps of texts."""
    return "" if value is None else value


def _or_default(value: object) -> object:
    """Take an empty namespace for none, as kubectl does."""
    return "default" if value == "" else value


_QUALIFIED: Final = "name or domain/name, the name of at most 63 letters, digits, '-', '_' and '.'"

LabelKey = Annotated[str, AfterValidator(_qualified), shape(_QUALIFIED)]
LabelValue = Annotated[
    str,
    BeforeValidator(_or_nothing),
    AfterValidator(_label_value),
    shape("at most 63 letters, digits, '-', '_' and '.', as text (longer texts go into annotations)"),
]
AnnotationKey = Annotated[str, AfterValidator(_annotation_key), shape(_QUALIFIED)]
AnnotationValue = Annotated[str, BeforeValidator(_or_nothing)]
Namespace = Annotated[
    str,
    BeforeValidator(_or_default),
    AfterValidator(_namespace),
    shape("at most 63 lower-case letters, digits and '-'"),
]


Labels = dict[LabelKey, LabelValue]
Annotations = Annotated[
    dict[AnnotationKey, AnnotationValue],
    AfterValidator(_of_bounded_size),
    shape("names and values of at most 256 KiB in all; put large texts into a ConfigMap"),
]


class Marks(Section):
    """What a pod template may say in its metadata."""

    labels: Labels = Field(default_factory=dict)
    annotations: Annotations = Field(default_factory=dict)


class ObjectMeta(Section):
    """The part of Kubernetes metadata that people write."""

    name: RunName
    """Name of the run: a DNS-1035 label of at most 40 characters."""
    namespace: Namespace = "default"
    """Namespace of the run."""
    uid: Text = ""
    """Identity of this very object; a run made again under the same name has another."""
    generation: int = 1
    """Counts changes of the spec."""
    labels: Labels = Field(default_factory=dict)
    """Labels."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations."""
    creation_timestamp: datetime | None = None
    """When the object was made."""
    deletion_timestamp: datetime | None = None
    """When its deletion was asked for."""


def _version(text: str) -> str:
    group, _, version = text.rpartition("/")
    if not version or "/" in group:
        raise wrong("it is no version" if version else "it names no version")
    return text


NotEmpty = Annotated[str, StringConstraints(min_length=1)]


class OwnerReference(Section):
    """An object that a run belongs to, and goes with."""

    api_version: Annotated[str, AfterValidator(_version), shape("version or group/version")]
    """Of the owner."""
    kind: NotEmpty
    """Of the owner."""
    name: NotEmpty
    """Of the owner."""
    uid: NotEmpty
    """Of the owner."""
    controller: bool | None = None
    """Whether it is the one that manages the run."""
    block_owner_deletion: bool | None = None
    """Whether it waits for the run to go."""


def _one_controller(owners: list[OwnerReference]) -> list[OwnerReference]:
    if sum(owner.controller is True for owner in owners) > 1:
        raise wrong("several have controller true, which only one may be")
    if any((owner.api_version, owner.kind) == ("v1", "Event") for owner in owners):
        raise wrong("an Event owns nothing")
    return owners


def _no_contradiction(finalizers: list[str]) -> list[str]:
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        raise wrong("orphan and foregroundDeletion exclude each other")
    return finalizers


def _beginning(text: str) -> str:
    # Something is appended, so a dash may stand at the end.
    whole = f"{text[:-2]}a" if len(text) > 1 and text.endswith("-") else text
    if text and (len(whole) > _MAX_PREFIX or not _SUBDOMAIN.fullmatch(whole)):
        raise wrong(_why(whole, "it", "lower-case letters, digits, '-' and '.'", "[-a-z0-9.]"))
    return text


class Bookkeeping(Section):
    """What Kubernetes keeps in metadata beside that: judged where a manifest has it, and then left out."""

    creation_timestamp: datetime | None = None
    deletion_grace_period_seconds: int | None = None
    deletion_timestamp: datetime | None = None
    finalizers: Annotated[
        list[LabelKey], AfterValidator(_no_contradiction), shape("a list of names, or remove it")
    ] = Field(default_factory=list)
    generate_name: Annotated[
        str, AfterValidator(_beginning), shape("the beginning of a name, or remove it")
    ] = ""
    managed_fields: list[dict[str, JsonValue]] = Field(default_factory=list)
    owner_references: Annotated[
        list[OwnerReference], AfterValidator(_one_controller), shape("a list of owners, or remove it")
    ] = Field(default_factory=list)
    resource_version: str = ""
    self_link: str = ""


BOOKKEEPING: Final = frozenset(
    field.alias for field in Bookkeeping.model_fields.values() if field.alias is not None
)
"""Fields of metadata that `kubectl get -o yaml` adds, and that mean nothing to a run."""
