"""What a recipe reads and writes by URI, and the volumes that a pod needs for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from trainjobs.api.base import Section
from trainjobs.api.sources import Source, sources
from trainjobs.core.plan.objects import Object
from trainjobs.core.recipe.model import Recipe
from trainjobs.core.uris import Scheme, parse_uri

CLAIMS = "/pvc"
CONFIG_MAPS = "/configmaps"


def inputs(recipe: Recipe) -> Iterator[Source]:
    """Everything that a run reads, each with the field of the manifest that it comes from."""
    yield from _in(recipe.model, "spec.baseModel")
    yield from _in(recipe.dataset, "spec.dataset")
    if recipe.algorithm is not None:
        yield from _in(recipe.algorithm, "spec.algorithm")
    yield from _in(recipe.checkpoints, "spec.checkpoints")


def _in(section: Section, path: str) -> Iterator[Source]:
    return (source for source in sources(section, path) if source.names.kind != "Storage")


@dataclass(frozen=True, slots=True)
class Volumes:
    """Volumes of a pod, and where its container mounts them."""

    volumes: list[JsonValue]
    mounts: list[JsonValue]


def source_volumes(recipe: Recipe) -> Volumes:
    """Claims at `/pvc/<claim>`, ConfigMaps at `/configmaps/<name>`.

    All are read-only but the claim that the run's checkpoints go to.
    """
    uris = [source.uri for source in inputs(recipe)]
    stored = _names([recipe.store], Scheme.CLAIM)
    volumes: list[JsonValue] = []
    mounts: list[JsonValue] = []
    for index, claim in enumerate(_names([*uris, recipe.store], Scheme.CLAIM)):
        name = f"claim-{index}"
        writable = claim in stored
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append(_mount(name, f"{CLAIMS}/{claim}", writable=writable))
    for index, config in enumerate(_names(uris, Scheme.CONFIG_MAP)):
        name = f"config-{index}"
        volumes.append({"name": name, "configMap": {"name": config}})
        mounts.append(_mount(name, f"{CONFIG_MAPS}/{config}", writable=False))
    return Volumes(volumes, mounts)


def _names(uris: list[str], scheme: Scheme) -> list[str]:
    """Places of the URIs of a scheme, each once, sorted."""
    return sorted({uri.place for uri in map(parse_uri, uris) if uri.scheme is scheme})


def _mount(name: str, path: str, *, writable: bool) -> Object:
    mount: Object = {"name": name, "mountPath": path}
    return mount if writable else {**mount, "readOnly": True}
