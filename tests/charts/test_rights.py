"""What the operator, people and the test may do: no more than they use."""

import pytest

from tests.charts.rendering import (
    INSTALLATIONS,
    NAMESPACE,
    NAMESPACED,
    Object,
    Values,
    named,
    of_kind,
    render,
)

ROLES = ("Role", "ClusterRole")
KINDS = {"rewardmodelruns", "sftruns", "rlhfruns", "pretrainruns"}


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_no_role_has_a_wildcard_or_any_right_to_secrets(name: str) -> None:
    for role in of_kind(render(INSTALLATIONS[name]), *ROLES):
        for rule in role["rules"]:
            words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert "*" not in words, role["metadata"]["name"]
            assert words.isdisjoint(
                {"secrets", "configmaps", "pods/exec", "pods/log", "nodes", "escalate", "bind", "impersonate"}
            )


def test_the_operator_has_the_same_rights_in_one_namespace_as_in_all() -> None:
    everywhere = named(render({}), "ClusterRole", "trainjobs")["rules"]
    here = [one for one in of_kind(render(NAMESPACED), "Role") if one["metadata"]["name"] == "trainjobs"]

    assert [one["metadata"]["namespace"] for one in here] == ["team-a", "team-b"]
    assert [one["rules"] for one in here] == [everywhere, everywhere]


def test_every_binding_names_a_role_that_is_there_and_the_operator_alone() -> None:
    for values in INSTALLATIONS.values():
        objects = render(values)
        for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding"):
            roles = of_kind(objects, binding["roleRef"]["kind"])
            place = binding["metadata"].get("namespace")
            assert (binding["roleRef"]["name"], place) in [
                (one["metadata"]["name"], one["metadata"].get("namespace")) for one in roles
            ]
            (subject,) = binding["subjects"]
            assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", NAMESPACE)
            assert subject["name"] == _account(objects)


def test_whoever_views_sees_runs_and_whoever_edits_makes_them_but_writes_no_status() -> None:
    objects = render({})
    viewer = named(objects, "ClusterRole", "trainjobs-viewer")
    editor = named(objects, "ClusterRole", "trainjobs-editor")

    assert _aggregated(viewer) == {"view", "edit", "admin"}
    assert _aggregated(editor) == {"edit", "admin"}
    assert {verb for rule in viewer["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert [set(rule["resources"]) for rule in editor["rules"]] == [KINDS]


def test_pod_groups_are_the_operators_business_only_where_a_gang_scheduler_is_named() -> None:
    def groups(values: Values) -> dict[str, list[str]]:
        rules = named(render(values), "ClusterRole", "trainjobs")["rules"]
        return {rule["apiGroups"][0]: rule["verbs"] for rule in rules if "podgroups" in rule["resources"]}

    verbs = ["get", "create", "delete"]
    assert groups({}) == {}
    assert groups({"gangSchedulers": ["Coscheduling"]}) == {"scheduling.x-k8s.io": verbs}
    assert groups({"gangSchedulers": ["Volcano"]}) == {"scheduling.volcano.sh": verbs}
    assert set(groups(INSTALLATIONS["everything"])) == {"scheduling.x-k8s.io", "scheduling.volcano.sh"}


def test_leases_and_endpoints_are_the_operators_own_only() -> None:
    rules = named(render({}), "Role", "trainjobs-leader")["rules"]

    for rule in rules:
        assert rule["verbs"] == ["create"] or rule["resourceNames"]


def test_the_test_of_the_release_has_no_rights_of_its_own() -> None:
    objects = render({})

    accounts = {
        subject["name"]
        for binding in of_kind(objects, "RoleBinding", "ClusterRoleBinding")
        for subject in binding["subjects"]
    }
    (pod,) = of_kind(objects, "Pod")
    assert pod["spec"]["serviceAccountName"] not in accounts


def _account(objects: list[Object]) -> str:
    (deployment,) = of_kind(objects, "Deployment")
    return str(deployment["spec"]["template"]["spec"]["serviceAccountName"])


def _aggregated(role: Object) -> set[str]:
    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    return {name.removeprefix(prefix) for name in role["metadata"]["labels"] if name.startswith(prefix)}
