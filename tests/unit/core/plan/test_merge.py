"""podTemplate over the planned pod."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.plan.merge import MERGE_KEYS, merged
from trainjobs.errors import InvalidRecipe


def test_objects_are_merged_and_what_the_manifest_gives_wins() -> None:
    assert merged({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3, "z": 4}}) == {
        "a": {"x": 1, "y": 3, "z": 4},
        "b": 1,
    }


def test_null_removes_a_field() -> None:
    assert merged({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": None}}) == {"b": {"d": 3}}


def test_containers_and_their_environment_are_merged_by_name() -> None:
    planned = {"containers": [{"name": "pytorch", "image": "a", "env": [{"name": "X", "value": "1"}]}]}
    given = {
        "containers": [
            {"name": "proxy", "image": "p"},
            {"name": "pytorch", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "3"}]},
        ]
    }

    assert merged(planned, given)["containers"] == [
        {"name": "pytorch", "image": "a", "env": [{"name": "X", "value": "3"}, {"name": "Y", "value": "2"}]},
        {"name": "proxy", "image": "p"},
    ]


def test_a_mount_is_told_apart_by_its_path() -> None:
    planned = {"volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}
    given = {"volumeMounts": [{"name": "disk", "mountPath": "/tmp"}, {"name": "tmp", "mountPath": "/other"}]}

    assert merged(planned, given)["volumeMounts"] == [
        {"name": "disk", "mountPath": "/tmp"},
        {"name": "tmp", "mountPath": "/other"},
    ]


def test_a_volume_with_another_source_loses_the_planned_one() -> None:
    planned = {"volumes": [{"name": "workspace", "emptyDir": {"sizeLimit": "1Gi"}}]}
    given = {"volumes": [{"name": "workspace", "persistentVolumeClaim": {"claimName": "disk"}}]}

    assert merged(planned, given)["volumes"] == [
        {"name": "workspace", "persistentVolumeClaim": {"claimName": "disk"}}
    ]


def test_a_volume_with_the_same_source_is_merged() -> None:
    planned = {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}]}
    given = {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "8Gi"}}]}

    assert merged(planned, given)["volumes"] == [
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}
    ]


def test_a_variable_given_from_a_secret_loses_its_planned_value() -> None:
    reference = {"secretKeyRef": {"name": "s", "key": "k"}}

    result = merged({"env": [{"name": "X", "value": "1"}]}, {"env": [{"name": "X", "valueFrom": reference}]})

    assert result["env"] == [{"name": "X", "valueFrom": reference}]


def test_lists_without_a_key_are_appended() -> None:
    planned = {"envFrom": [{"secretRef": {"name": "wandb"}}], "tolerations": [{"key": "a"}]}

    result = merged(planned, {"envFrom": [{"configMapRef": {"name": "c"}}], "tolerations": [{"key": "b"}]})

    assert result["envFrom"] == [{"secretRef": {"name": "wandb"}}, {"configMapRef": {"name": "c"}}]
    assert result["tolerations"] == [{"key": "a"}, {"key": "b"}]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.podTemplate.spec.containers[0].name"),
        ({"spec": {"volumes": ["x"]}}, "spec.podTemplate.spec.volumes[0].name"),
        ({"spec": {"$patch": "replace"}}, "spec.podTemplate.spec.$patch"),
    ],
)
def test_what_cannot_be_merged_names_the_field(given: dict, field: str) -> None:
    with pytest.raises(InvalidRecipe) as error:
        merged({"spec": {}}, given)

    assert str(error.value).startswith(f"{field}: ")


_KEYS = ["a", "b", *sorted(MERGE_KEYS), "tolerations"]


def _items(children: st.SearchStrategy) -> st.SearchStrategy:
    keyed = st.fixed_dictionaries(
        {name: st.sampled_from(["x", "y"]) for name in sorted(set(MERGE_KEYS.values()))},
        optional={"a": children},
    )
    return st.lists(
        keyed, max_size=3, unique_by=lambda item: tuple(item[name] for name in item if name != "a")
    )


_OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b"]), st.integers(), max_size=2),
    lambda children: st.fixed_dictionaries(
        {}, optional={"a": st.one_of(children, st.integers()), "b": children, "env": _items(children)}
    ),
    max_leaves=8,
)


@given(_OBJECTS, _OBJECTS)
def test_merging_changes_neither_side_and_nothing_given_is_lost(planned: dict, given_: dict) -> None:
    before = copy.deepcopy((planned, given_))

    result = merged(planned, given_)

    assert (planned, given_) == before
    assert set(result) == set(planned) | set(given_)
    assert merged(planned, {}) == planned
