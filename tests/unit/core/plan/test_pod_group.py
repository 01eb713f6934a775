"""Pods that are to be given machines together, and what their scheduler is told of them."""

from typing import Any

import pytest

from tests.unit.core.plan.builders import PLATFORM, a_plan
from trainjobs.core.plan.render import rendering

GANGS = [
    ("Coscheduling", "scheduling.x-k8s.io/v1alpha1", "labels", "scheduling.x-k8s.io/pod-group"),
    ("Volcano", "scheduling.volcano.sh/v1beta1", "annotations", "scheduling.k8s.io/group-name"),
]


def objects(**policy: Any) -> list[dict]:
    return list(rendering(a_plan(topology={"nodes": 3}, attempt=2, runPolicy=policy)).objects)


def pod(**policy: Any) -> dict:
    return objects(**policy)[-1]["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]


@pytest.mark.parametrize(("scheduler", "version", "where", "sign"), GANGS)
def test_an_attempt_has_a_pod_group_of_all_its_nodes_before_its_job(
    scheduler: str, version: str, where: str, sign: str
) -> None:
    _, group, job = objects(gangScheduling={"scheduler": scheduler})

    assert (group["apiVersion"], group["kind"], group["spec"]) == (version, "PodGroup", {"minMember": 3})
    # training-operator goes on with a PodGroup of this name, where it makes them itself.
    assert group["metadata"]["name"] == job["metadata"]["name"] == "ratings-1a2b3-2"
    assert group["metadata"]["ownerReferences"] == job["metadata"]["ownerReferences"]
    assert group["metadata"]["labels"] == job["metadata"]["labels"]
    assert pod(gangScheduling={"scheduler": scheduler})["metadata"][where][sign] == "ratings-1a2b3-2"


def test_pods_go_to_the_gang_scheduler_by_its_own_name_unless_another_is_given() -> None:
    volcano, plugin = {"scheduler": "Volcano"}, {"scheduler": "Coscheduling"}

    assert pod(gangScheduling=volcano)["spec"]["schedulerName"] == "volcano"
    assert pod(gangScheduling=plugin)["spec"]["schedulerName"] == "scheduler-plugins-scheduler"
    named = pod(gangScheduling=plugin, schedulerName="default-scheduler")
    assert named["spec"]["schedulerName"] == "default-scheduler"


def test_a_platform_whose_own_scheduler_has_the_plugin_names_it_for_all() -> None:
    template = {"spec": {"schedulerName": "default-scheduler", "priorityClassName": "training"}}
    settings = PLATFORM.model_copy(update={"pod_templates": [template]})
    policy = {"gangScheduling": {"scheduler": "Volcano", "queue": "team"}}
    _, group, job = rendering(a_plan(settings=settings, runPolicy=policy)).objects

    spec = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    assert spec["schedulerName"] == "default-scheduler"
    assert group["spec"] == {"minMember": 1, "queue": "team", "priorityClassName": "training"}


def test_only_volcano_is_told_of_a_priority_and_a_queue() -> None:
    policy = {"priorityClassName": "training"}

    _, group, _ = objects(gangScheduling={"scheduler": "Volcano", "queue": "team"}, **policy)
    assert group["spec"] == {"minMember": 3, "queue": "team", "priorityClassName": "training"}
    _, group, _ = objects(gangScheduling={"scheduler": "Coscheduling"}, **policy)
    assert group["spec"] == {"minMember": 3}


def test_without_gang_scheduling_no_pod_group_is_made_and_no_pod_says_so() -> None:
    network, job = objects()

    assert (network["kind"], job["kind"]) == ("NetworkPolicy", "PyTorchJob")
    metadata = pod()["metadata"]
    assert {sign for *_, sign in GANGS}.isdisjoint({*metadata["labels"], *metadata["annotations"]})


def test_a_gang_scheduler_that_the_platform_does_not_name_is_refused_with_what_gives_it() -> None:
    def said(offered: list[str], asked: str) -> list[str]:
        settings = PLATFORM.model_copy(update={"gang_schedulers": offered})
        plan = a_plan(settings=settings, runPolicy={"gangScheduling": {"scheduler": asked}})
        return [str(one) for one in rendering(plan).violations]

    assert said(["Volcano"], "Volcano") == []
    (none,) = said([], "Volcano")
    assert none.startswith("spec.runPolicy.gangScheduling.scheduler: the operator makes no PodGroups for Vol")
    assert none.endswith("gangSchedulers: [Volcano])")
    (other,) = said(["Volcano"], "Coscheduling")
    assert "take Volcano, or remove it" in other
