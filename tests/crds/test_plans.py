"""Rendered objects, read by Kubernetes' own types and judged by the code of its Pod Security admission."""

from typing import Any

import pytest

from tests.crds.podchecker import judge
from tests.golden.generate import PLATFORM, manifests, runs
from tests.unit.core.plan.builders import a_plan, a_run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.plan.neutral import make_plan
from trainjobs.core.plan.render import rendering, with_assumed_models


@pytest.mark.parametrize("name", manifests())
def test_every_golden_object_is_decoded_strictly_and_its_pods_fit_a_restricted_namespace(name: str) -> None:
    start = StartAttempt(attempt=1, halve_batch=0, queued=False)
    objects = [
        made
        for run in runs(manifests()[name])
        for made in rendering(make_plan(with_assumed_models(run), start, PLATFORM)).objects
    ]

    verdicts = judge(objects)

    assert len(verdicts) == len(objects) > 0
    assert [one for one in verdicts if one.decoding or one.forbidden] == []


def test_the_judge_refuses_what_it_should() -> None:
    network, job = (dict(one) for one in rendering(a_plan()).objects)
    wrong: Any = rendering(a_plan(podTemplate={"spec": {"hostPid": True, "hostNetwork": True}})).objects[1]

    verdict = judge([{**network, "spek": {}}, job, wrong])

    assert "spek" in verdict[0].decoding[0]
    assert (verdict[1].decoding, verdict[1].forbidden) == ((), ())
    assert "hostPid" in verdict[2].decoding[0]
    assert verdict[2].forbidden


SECURITY: tuple[dict[str, Any], ...] = (
    {"securityContext": {"privileged": True}},
    {"securityContext": {"allowPrivilegeEscalation": True}},
    {"securityContext": {"allowPrivilegeEscalation": None}},
    {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
    {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}},
    {"securityContext": {"capabilities": None}},
    {"securityContext": {"procMount": "Unmasked"}},
    {"securityContext": {"runAsUser": 0}},
    {"securityContext": {"runAsUser": 2000}},
    {"securityContext": {"runAsNonRoot": False}},
    {"securityContext": {"runAsNonRoot": None}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}},
    {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
    {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    {"securityContext": {"readOnlyRootFilesystem": False}},
    {"ports": [{"containerPort": 80, "hostPort": 80}]},
    {"livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}},
    {"resources": {"limits": {"rdma/hca": 1}}},
)
PODS: tuple[dict[str, Any], ...] = (
    {"hostNetwork": True},
    {"hostPID": True},
    {"hostIPC": True},
    {"hostUsers": False},
    {"securityContext": {"runAsUser": 0}},
    {"securityContext": {"runAsNonRoot": False}},
    {"securityContext": {"runAsNonRoot": None}},
    {"securityContext": {"seccompProfile": None}},
    {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
    {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    {"securityContext": {"supplementalGroups": [2000]}},
    {"securityContext": None},
    {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
    {"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]},
    {"volumes": [{"name": "v", "emptyDir": {}}]},
    {"containers": [{"name": "side", "image": "x"}]},
    {"initContainers": [{"name": "init", "image": "x"}]},
    {"tolerations": [{"operator": "Exists"}]},
    *({"containers": [{"name": "pytorch", **container}]} for container in SECURITY),
)


def test_whatever_the_standard_forbids_is_refused_by_the_policy_too() -> None:
    found = [rendering(a_plan(a_run(podTemplate={"spec": pod}))) for pod in PODS]
    verdicts = judge([one.objects[1] for one in found])

    let_past = [
        pod
        for pod, ours, theirs in zip(PODS, found, verdicts, strict=True)
        if theirs.forbidden and not ours.violations
    ]
    assert let_past == []
    assert sum(bool(one.forbidden) for one in verdicts) > len(PODS) // 2
    assert any(not one.violations for one in found)
