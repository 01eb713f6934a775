"""`spec.podTemplate` over the planned pod, as `kubectl patch --type strategic` would merge it.

- Objects are merged key by key; what the manifest gives wins, and null removes.
- Lists whose items Kubernetes tells apart by a key are merged item by item, by that key: containers by
  `name`, environment by `name`, volumes by `name`, mounts by `mountPath`, and so on (`MERGE_KEYS`).
- A volume that is given another source loses the one that was planned.
- Every other list (tolerations, envFrom, capabilities) is appended to the planned one. Here alone this
  differs from kubectl, which would replace it: so nothing that was planned gets lost by an addition.
- The directives `$patch`, `$retainKeys` and their like are refused.
"""

from pydantic import JsonValue

from trainjobs.core.plan.objects import Object
from trainjobs.errors import InvalidRecipe

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
}
"""Field of a pod → the key of its items (`patchMergeKey` in k8s.io/api/core/v1)."""


def merged(planned: Object, given: Object, field: str = "spec.podTemplate") -> Object:
    """`planned` with `given` merged over it; neither is changed.

    Raises:
        InvalidRecipe: an item of a list has no key, or a directive is used; names the field.
    """
    result = dict(planned)
    for key, value in given.items():
        where = f"{field}.{key}"
        if key.startswith("$"):
            raise InvalidRecipe(f"{where}: directives of patches are not supported; give plain fields")
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _value(key, result.get(key), value, where)
    return result


def _value(key: str, planned: JsonValue, given: JsonValue, where: str) -> JsonValue:
    if isinstance(given, dict):
        return merged(planned if isinstance(planned, dict) else {}, given, where)
    if isinstance(given, list):
        before = planned if isinstance(planned, list) else []
        merge_key = MERGE_KEYS.get(key)
        return [*before, *given] if merge_key is None else _items(key, merge_key, before, given, where)
    return given


def _items(
    list_name: str, merge_key: str, planned: list[JsonValue], given: list[JsonValue], where: str
) -> list[JsonValue]:
    result = list(planned)
    positions = {_key(item, merge_key): position for position, item in reversed([*enumerate(result)])}
    for index, item in enumerate(given):
        place = f"{where}[{index}]"
        key = _key(item, merge_key)
        if not isinstance(item, dict) or key is None:
            raise InvalidRecipe(f"{place}.{merge_key}: required; it says which item is meant")
        position = positions.get(key)
        if position is None:
            positions[key] = len(result)
            result.append(merged({}, item, place))
            continue
        before = result[position]
        assert isinstance(before, dict)
        if list_name in ("volumes", "env"):
            before = _without_source(before, item, merge_key)
        result[position] = merged(before, item, place)
    return result


def _key(item: JsonValue, merge_key: str) -> str | int | float | None:
    """What tells an item from the others; None where it has nothing that could."""
    key = item.get(merge_key) if isinstance(item, dict) else None
    return key if isinstance(key, str | int | float) else None


def _without_source(before: Object, item: Object, merge_key: str) -> Object:
    """A volume has one source, a variable one value: another one given takes the place of the planned."""
    return before if item.keys() <= before.keys() else {merge_key: before[merge_key]}
