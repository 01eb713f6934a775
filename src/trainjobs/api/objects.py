"""The objects of a file, as kubectl takes it apart: lists item by item, others' apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainjobs.api.labels import GROUP
from trainjobs.api.problems import closest
from trainjobs.api.rules import Path
from trainjobs.api.runs import BY_KIND
from trainjobs.api.yaml_documents import Document, Value

_ITEMS = "items"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An object beside the runs of a file, which is none."""

    source: str
    place: str
    kind: str
    name: str

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.kind, self.name)))
        data = " (its data is read in a cluster only)" if self.kind == "ConfigMap" else ""
        words = f"is no run and is passed over{data}; kubectl apply takes it along"
        return f"{self.source} {self.place}: {what} {words}"


def objects(document: Document) -> Iterator[Document]:
    """Yield the document, or, where it is a list (`kind: List`), each of its items as one of its own."""
    items = _items(document.value)
    if items is None:
        yield document
        return
    for index, item in enumerate(items):
        yield from objects(_item(document, index, _typed(item, document.value)))


def own_problems(document: Document) -> list[tuple[Path, str]]:
    """Return what is wrong with a list itself, not with one of its items."""
    if _items(document.value) is None:
        return []
    return [(path, words) for _, path, words in document.problems if path[:1] != (_ITEMS,) or len(path) < 2]


def is_foreign(body: Mapping[str, Any]) -> bool:
    """Return whether this is an object of somebody else: of another group, and not one of ours misspelt."""
    version, kind = body.get("apiVersion"), body.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str) or kind in BY_KIND:
        return False
    group = version.rpartition("/")[0]
    return group != GROUP and closest(group, [GROUP]) is None


def passed_over(document: Document, source: str) -> PassedOver:
    """Return what is to be said of somebody else's object."""
    body = document.value
    assert isinstance(body, dict)
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return PassedOver(source, document.place(()), str(body["kind"]), name if isinstance(name, str) else "")


def _items(value: Value) -> list[Value] | None:
    if not isinstance(value, dict) or not str(value.get("kind", "")).endswith("List"):
        return None
    items = value.get(_ITEMS)
    return items if isinstance(items, list) else None


def _typed(item: Value, whole: Value) -> Value:
    """Give an item of a list of one kind (`RewardModelRunList`) that kind, where it does not say its own."""
    assert isinstance(whole, dict)
    kind = str(whole["kind"]).removesuffix("List")
    if not isinstance(item, dict) or not kind:
        return item
    return {"apiVersion": whole.get("apiVersion"), "kind": kind, **item}


def _item(document: Document, index: int, value: Value) -> Document:
    here: Path = (_ITEMS, index)
    lines = {path[2:]: line for path, line in document.lines.items() if path[:2] == here}
    lines.setdefault((), document.line(here))
    problems = [(line, path[2:], words) for line, path, words in document.problems if path[:2] == here]
    return Document(value, lines, problems)
