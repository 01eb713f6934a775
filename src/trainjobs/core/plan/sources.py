"""What a recipe reads and writes by URI, and the volumes that a pod needs for it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from trainjobs.core.plan.objects import Object
from trainjobs.core.recipe.model import Recipe

CLAIMS = "/pvc"
CONFIG_MAPS = "/configmaps"


@dataclass(frozen=True, slots=True)
class Source:
    """One URI of a recipe, and the field of the manifest that it comes from."""

    field: str
    uri: str


def sources(recipe: Recipe) -> tuple[Source, ...]:
    """Everything that a run reads, in the order of the manifest."""
    return tuple(Source(field, uri) for field, uri in _all(recipe) if uri is not None)


def _all(recipe: Recipe) -> Iterator[tuple[str, str | None]]:
    yield "spec.baseModel.uri", recipe.model.uri
    yield "spec.baseModel.tokenizerUri", recipe.model.tokenizer_uri
    yield "spec.dataset.train", recipe.dataset.train
    yield "spec.dataset.eval", recipe.dataset.eval
    yield "spec.dataset.test", recipe.dataset.test
    if recipe.algorithm is not None:
        dpo = recipe.algorithm.dpo
        if dpo is not None and dpo.reference is not None:
            yield "spec.algorithm.dpo.reference.uri", dpo.reference.uri
            yield "spec.algorithm.dpo.reference.tokenizerUri", dpo.reference.tokenizer_uri
        for index, reward in enumerate(recipe.algorithm.rewards):
            yield f"spec.algorithm.rewards[{index}].model.uri", reward.model.uri
            yield f"spec.algorithm.rewards[{index}].model.tokenizerUri", reward.model.tokenizer_uri
    yield "spec.checkpoints.resume.uri", recipe.checkpoints.resume.uri


@dataclass(frozen=True, slots=True)
class Volumes:
    """Volumes of a pod, and where its container mounts them."""

    volumes: list[JsonValue]
    mounts: list[JsonValue]


def source_volumes(recipe: Recipe) -> Volumes:
    """Claims at `/pvc/<claim>`, ConfigMaps at `/configmaps/<name>`.

    All are read-only but the claim that the run's checkpoints go to.
    """
    uris = [source.uri for source in sources(recipe)]
    stored = _names([recipe.store], "pvc://")
    volumes: list[JsonValue] = []
    mounts: list[JsonValue] = []
    for index, claim in enumerate(_names([*uris, recipe.store], "pvc://")):
        name = f"claim-{index}"
        writable = claim in stored
        volumes.append({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        mounts.append(_mount(name, f"{CLAIMS}/{claim}", writable=writable))
    for index, config in enumerate(_names(uris, "configMap://")):
        name = f"config-{index}"
        volumes.append({"name": name, "configMap": {"name": config}})
        mounts.append(_mount(name, f"{CONFIG_MAPS}/{config}", writable=False))
    return Volumes(volumes, mounts)


def _names(uris: list[str], scheme: str) -> list[str]:
    """First parts of the URIs of a scheme, each once, sorted."""
    return sorted({uri.removeprefix(scheme).partition("/")[0] for uri in uris if uri.startswith(scheme)})


def _mount(name: str, path: str, *, writable: bool) -> Object:
    mount: Object = {"name": name, "mountPath": path}
    return mount if writable else {**mount, "readOnly": True}
