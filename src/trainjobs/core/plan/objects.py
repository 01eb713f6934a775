"""Kubernetes objects as plain JSON: what is rendered, merged, checked and sent."""

from pydantic import JsonValue

Object = dict[str, JsonValue]


def child(parent: Object, key: str) -> Object:
    """The object under `key`; an empty one where there is none."""
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def children(parent: Object, key: str) -> list[Object]:
    """The objects of the list under `key`; none where there is no list."""
    value = parent.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(parent: Object, key: str) -> str:
    """The string under `key`; empty where there is none."""
    value = parent.get(key)
    return value if isinstance(value, str) else ""
