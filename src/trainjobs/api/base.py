"""What every section of a manifest is made of: strict pydantic models, bounded types, CEL rules.

A section's field docstrings become `kubectl explain` texts; its `rules` become
`x-kubernetes-validations` in the CRD and are evaluated, the same text, by `trainjobs validate`.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

SHAPE = "x-shape"
WRONG_PART = "wrong_part"


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL rule of a section: where it holds, nothing is said; where not, `message` is.

    `expression` sees the section as `self` (and its former value as `oldSelf`, which makes it
    a transition rule). Kept to the CEL that Kubernetes and the Python library share: has, all,
    exists, exists_one, size, matches, startsWith, arithmetic, comparison, `? :`.
    """

    expression: str
    message: str

    @property
    def is_transition(self) -> bool:
        """Whether it judges a change, and so says nothing of a new object."""
        return "oldSelf" in self.expression


class Section(BaseModel):
    """A part of a manifest: camelCase in YAML, snake_case in Python, unknown fields refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    rules: ClassVar[tuple[Rule, ...]] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """Marks a field that names something elsewhere by its URI: `trainjobs.api.sources` finds it by this."""

    kind: Literal["Data", "Model", "Tokenizer", "Storage", "Checkpoint"]


class Open:
    """Marks a field whose inside the API server keeps as it came (`x-kubernetes-preserve-unknown-fields`)."""


def union_rules(
    path: str, members: dict[str, str], *, required: frozenset[str] = frozenset()
) -> tuple[Rule, ...]:
    """Rules of a `type` + one member union at `path`.

    Args:
        path: where the union stands in a manifest, for messages (`spec.objective`).
        members: type name → YAML name of its member.
        required: types whose member has no usable defaults and so must be there.
    """
    rules = []
    for kind, member in members.items():
        rules.append(
            Rule(
                f"!has(self.{member}) || self.type == '{kind}'",
                f"{path}.{member}: only allowed with {path}.type {kind}; remove it or set type: {kind}",
            )
        )
        if kind in required:
            rules.append(
                Rule(
                    f"self.type != '{kind}' || has(self.{member})",
                    f"{path}.{member}: required with {path}.type {kind}; add it",
                )
            )
    return tuple(rules)


def wrong(part: str) -> PydanticCustomError:
    """The refusal of a text by a check of ours: `part` says which part of it is wrong."""
    return PydanticCustomError(WRONG_PART, "{part}", {"part": part})


def shape(words: str) -> FieldInfo:
    """Say in words what a pattern asks for; messages follow "give" with them, CRDs leave them out."""
    extra = Field(json_schema_extra={SHAPE: words})
    assert isinstance(extra, FieldInfo)
    return extra


# A pattern stands by its name: `api.patterns` says by it which part of a text is wrong.
NAME = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
FIGURE = r"^[\p{L}_][\p{L}\p{M}\p{N}_.-]*$"
IDENTIFIER = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
ENDPOINT = r"^https?://.+$"
# As Kubernetes' own type reads it (`resource.ParseQuantity`), but nothing negative.
QUANTITY = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"

Name = Annotated[
    str,
    StringConstraints(pattern=NAME, max_length=63),
    shape("lower-case letters, digits and '-', beginning with a letter"),
]
"""A DNS-1035 label."""

Identifier = Annotated[
    str,
    StringConstraints(pattern=IDENTIFIER, max_length=64),
    shape("letters, digits, '_', '.' and '-', beginning with a letter or '_'"),
]
"""A name of a program: a module, an argument."""

_FIGURE_SHAPE = shape(
    "letters of any language, digits, '_', '.' and '-', beginning with a letter or '_', without spaces"
)
DimensionName = Annotated[str, StringConstraints(pattern=FIGURE, max_length=64), _FIGURE_SHAPE]
"""What annotators score: `accuracy`, `准确度`."""
FigureName = Annotated[str, StringConstraints(pattern=FIGURE, max_length=96), _FIGURE_SHAPE]
"""A figure: long enough for a dimension's name and what is measured of it (`eval_准确度_pearson`)."""

Text = Annotated[str, StringConstraints(max_length=1024)]
LongText = Annotated[str, StringConstraints(max_length=16384)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=512)]

Quantity = Annotated[
    Annotated[int, Field(ge=0)] | Annotated[str, StringConstraints(pattern=QUANTITY, max_length=32)],
    Field(
        json_schema_extra={"x-kubernetes-int-or-string": True, SHAPE: "a quantity such as 2, 500m or 16Gi"}
    ),
]
"""A Kubernetes quantity: `2`, `500m`, `16Gi`."""

Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0, le=1e9)]

# `file://./x` is relative to the manifest and so for one machine only; the operator refuses it.
# A path may hold whatever a file system lets it hold, ends of lines included.
_OBJECTS = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?"
_PATHS = r"pvc://[a-z0-9][a-z0-9-]*(/[^\x00]*)?|file://(/|\./)[^\x00]*"
_WORD = r"[A-Za-z0-9_]+([.-][A-Za-z0-9_]+)*"
# Models of the hub's first days have no organisation (bert-base-uncased); a path needs one before it.
_HUB = rf"hf://{_WORD}(/{_WORD}(@[^/\n]+)?(/.*)?|@[^/\n]+)?"
DATA_URI = rf"^({_OBJECTS}|{_PATHS}|{_HUB}|configMap://[a-z0-9][a-z0-9.-]*/.+)$"
MODEL_URI = rf"^({_OBJECTS}|{_PATHS}|{_HUB})$"
STORAGE_URI = rf"^({_OBJECTS}|{_PATHS})$"
URI_LENGTH = 4096 + len("file://")
"""The longest path that Linux takes, and what stands before it."""

_FILES = "file:///path, file://./path beside the manifest, s3://bucket/path, pvc://claim/path"

DataUri = Annotated[
    str,
    StringConstraints(pattern=DATA_URI, max_length=URI_LENGTH),
    shape(f"{_FILES}, hf://org/name or configMap://name/key"),
    Names("Data"),
]
_Model = Annotated[
    str,
    StringConstraints(pattern=MODEL_URI, max_length=URI_LENGTH),
    shape(f"{_FILES} or hf://org/name@revision"),
]
ModelUri = Annotated[_Model, Names("Model")]
TokenizerUri = Annotated[_Model, Names("Tokenizer")]
_Folder = Annotated[
    str,
    StringConstraints(pattern=STORAGE_URI, max_length=URI_LENGTH),
    shape(_FILES.replace(", pvc", " or pvc")),
]
StorageUri = Annotated[_Folder, Names("Storage")]
CheckpointUri = Annotated[_Folder, Names("Checkpoint")]
Endpoint = Annotated[
    str, StringConstraints(pattern=ENDPOINT, max_length=512), shape("https://host or http://host")
]
"""Where an S3-compatible server answers."""


def stays_in_its_place(path: str, field: str) -> Rule:
    """Rule of a field with a URI: nothing leads out of a bucket or a volume by `..`.

    On one machine a path that is seen from the manifest may lead to a folder beside it.

    Args:
        path: what messages call the field.
        field: its YAML name.
    """
    return Rule(
        f"!has(self.{field}) || self.{field}.startsWith('file://./') || "
        f"!self.{field}.matches('(^|/)[.][.](/|$)')",
        f"{path}: '..' is not allowed in a path; give the path without it",
    )
