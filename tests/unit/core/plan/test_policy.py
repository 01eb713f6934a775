"""What the final pod may be made of, and what a cluster cannot give."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_plan, a_run
from tests.unit.core.plan.policy.asking import AGENT, SAFE, SPEC, fields, of_container, of_pod, of_sidecar
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.render import refusals, rendering, with_assumed_models
from trainjobs.core.settings import Settings


def test_a_planned_pod_is_allowed_as_it_is() -> None:
    assert fields() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hostNetwork", True),
        ("hostPID", True),
        ("hostIPC", True),
        ("hostUsers", False),
        ("nodeName", "node-1"),
        ("runtimeClassName", "kata"),
        ("serviceAccount", "admin"),
        ("shareProcessNamespace", True),
        ("priority", 2000000000),
        ("restartPolicy", "Always"),
        ("activeDeadlineSeconds", 5),
        ("ephemeralContainers", [{"name": "x"}]),
        ("os", {"name": "linux"}),
        ("fieldOfTheFuture", 1),
    ],
)
def test_a_field_of_a_pod_that_is_not_listed_is_refused(name: str, value: Any) -> None:
    assert of_pod(**{name: value}) == [f"{SPEC}.{name}"]


@pytest.mark.parametrize(
    "source",
    [
        {"hostPath": {"path": "/"}},
        {"nfs": {"server": "x", "path": "/"}},
        {"csi": {"driver": "x"}},
        {"image": {"reference": "x"}},
    ],
)
def test_a_volume_of_another_type_is_refused(source: dict) -> None:
    assert of_pod(volumes=[{"name": "v", **source}]) == [f"{SPEC}.volumes[v].{next(iter(source))}"]


@pytest.mark.parametrize("kind", ["serviceAccountToken", "clusterTrustBundle", "podCertificate"])
def test_a_projected_token_is_refused(kind: str) -> None:
    volume = {"name": "v", "projected": {"sources": [{"secret": {"name": "s"}}, {kind: {"path": "t"}}]}}

    assert of_pod(volumes=[volume]) == [f"{SPEC}.volumes[v].projected.{kind}"]


def test_the_volume_of_the_agent_cannot_be_changed() -> None:
    token = {"serviceAccountToken": {"path": "api"}}
    changed = {"name": "trainjobs", "projected": {"sources": [token]}}

    assert of_pod(volumes=[changed]) == [f"{SPEC}.volumes[trainjobs]"]
    assert f"{SPEC}.volumes[trainjobs]" in of_pod(volumes=None)


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"securityContext": {"privileged": True}}, "securityContext.privileged"),
        ({"securityContext": {"allowPrivilegeEscalation": True}}, "securityContext.allowPrivilegeEscalation"),
        ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, "securityContext.capabilities.add"),
        ({"securityContext": {"capabilities": None}}, "securityContext.capabilities.drop"),
        ({"securityContext": {"procMount": "Unmasked"}}, "securityContext.procMount"),
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"runAsNonRoot": False}}, "securityContext.runAsNonRoot"),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, "securityContext.seccompProfile"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "ports.hostPort"),
        ({"ports": [{"containerPort": 80, "hostIP": "0.0.0.0"}]}, "ports.hostIP"),
        ({"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]}, "volumeDevices"),
        ({"lifecycle": {"postStart": {"exec": {"command": ["x"]}}}}, "lifecycle"),
        ({"command": ["sh"]}, "command"),
        ({"args": ["x"]}, "args"),
        ({"env": [{"name": "TRAINJOBS_STATUS_URL", "value": "x"}]}, "env[TRAINJOBS_STATUS_URL]"),
        ({"env": [{"name": "TRAINJOBS_ATTEMPT", "value": "9"}]}, "env[TRAINJOBS_ATTEMPT]"),
        ({"env": [{"name": "TRAINJOBS_STORAGE_SECONDS", "value": "9"}]}, "env[TRAINJOBS_STORAGE_SECONDS]"),
        ({"envFrom": [{"prefix": "TRAINJOBS_", "configMapRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"envFrom": [{"prefix": "TRAINJOBS_STATUS_", "secretRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"envFrom": [{"prefix": "TRAIN", "secretRef": {"name": "x"}}]}, "envFrom[0].prefix"),
        ({"terminationMessagePath": "/etc/trainjobs/recipe.json"}, "terminationMessagePath"),
        ({"terminationMessagePolicy": "FallbackToLogsOnError"}, "terminationMessagePolicy"),
        ({"restartPolicy": "Always"}, "restartPolicy"),
        ({"ports": [{"containerPort": 9464, "name": "mine"}]}, "ports[metrics]"),
        ({"volumeMounts": [{"name": "tmp", "mountPath": "/tmp/"}]}, "volumeMounts[/tmp/]"),
    ],
)
def test_what_the_agents_container_may_not_have_is_refused(container: dict, field: str) -> None:
    assert of_container(**container) == [f"{AGENT}.{field}"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/trainjobs/recipe.json",
        "/etc/trainjobs/sub/deeper",
        "/etc/trainjobs/",
        "//etc/trainjobs",
        "/etc//trainjobs/.",
        "/tmp/../etc/trainjobs",
        "etc/trainjobs",
        "/etc",
        "/",
    ],
)
def test_nothing_is_mounted_over_what_the_agent_is_told(path: str) -> None:
    found = of_container(volumeMounts=[{"name": "tmp", "mountPath": path}])

    assert set(found) == {f"{AGENT}.volumeMounts[{path}]"}


@pytest.mark.parametrize("field", ["subPath", "subPathExpr", "mountPropagation", "name"])
def test_the_mount_of_what_the_agent_is_told_stays_as_it_is(field: str) -> None:
    mount = {"name": "trainjobs", "mountPath": "/etc/trainjobs", field: "tmp"}

    assert f"{AGENT}.volumeMounts" in of_container(volumeMounts=[mount])
    assert f"{AGENT}.volumeMounts" in of_container(volumeMounts=None)


def test_paths_beside_what_the_agent_is_told_are_free() -> None:
    free = ["/etc/trainjobs-of-mine", "/etc/ssl/certs", "/data"]

    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": path} for path in free]) == []


@pytest.mark.parametrize("path", ["/dev/termination-log", "/dev", "/dev/termination-log/x"])
def test_nothing_is_mounted_over_the_agents_last_word(path: str) -> None:
    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": path}]) == [
        f"{AGENT}.volumeMounts[{path}]"
    ]
    assert of_container(volumeMounts=[{"name": "tmp", "mountPath": "/dev/shm/mine"}]) == []


def test_what_only_the_platforms_containers_share_is_theirs_alone() -> None:
    shipper = {"name": "shipper", "image": "s", "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}
    template = {"spec": {"volumes": [{"name": "keys", "emptyDir": {}}], "containers": [shipper]}}
    platform = PLATFORM.model_copy(update={"pod_templates": [template]})
    peeks = {"volumeMounts": [{"name": "keys", "mountPath": "/peek"}]}

    for name, held in (("pytorch", peeks), ("side", {**SAFE, **peeks})):
        assert of_pod(platform, containers=[{"name": name, **held}]) == [
            f"{SPEC}.containers[{name}].volumeMounts[/peek].name"
        ]


def test_mounts_name_volumes_of_the_pod() -> None:
    mount = {"name": "injected", "mountPath": "/host"}
    field = "volumeMounts[/host].name"

    assert of_container(volumeMounts=[mount]) == [f"{AGENT}.{field}"]
    assert of_sidecar(volumeMounts=[mount]) == [f"{SPEC}.containers[side].{field}"]
    assert of_pod(initContainers=[{"name": "first", **SAFE, "volumeMounts": [mount]}]) == [
        f"{SPEC}.initContainers[first].{field}"
    ]
    own = {"name": "injected", "emptyDir": {}}
    assert of_pod(volumes=[own], containers=[{"name": "pytorch", "volumeMounts": [mount]}]) == []


def test_the_agents_token_is_mounted_for_the_agent_alone() -> None:
    mount = {"name": "trainjobs", "mountPath": "/peek"}

    assert of_sidecar(volumeMounts=[mount]) == [f"{SPEC}.containers[side].volumeMounts[/peek].name"]
    assert of_container(volumeMounts=[mount]) == [f"{AGENT}.volumeMounts[/peek].name"]


def test_a_container_has_a_name_of_its_own() -> None:
    twin = {"name": "pytorch", **SAFE}

    assert of_pod(initContainers=[twin]) == [f"{AGENT}.name"]


def test_what_is_made_for_a_volume_is_judged_like_the_pod() -> None:
    def of_claim(template: dict) -> list[str]:
        return of_pod(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}])

    field = f"{SPEC}.volumes[v].ephemeral.volumeClaimTemplate"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert of_claim({"metadata": {"labels": {"user.trainjobs.dev/team": "a"}}, "spec": spec}) == []
    assert of_claim({"metadata": {"annotations": {"backup": "all"}}, "spec": spec}) == [
        f"{field}.metadata.annotations[backup]"
    ]
    other = {"kind": "PersistentVolumeClaim", "name": "x", "namespace": "other"}
    assert of_claim({"spec": {**spec, "dataSourceRef": other}}) == [f"{field}.spec.dataSourceRef"]


def test_the_agents_container_cannot_be_removed() -> None:
    assert AGENT in of_pod(containers=None)


def test_other_containers_are_judged_too() -> None:
    assert of_sidecar() == []
    assert of_sidecar(securityContext={}) == [
        f"{SPEC}.containers[side].securityContext.allowPrivilegeEscalation",
        f"{SPEC}.containers[side].securityContext.capabilities.drop",
    ]
    assert of_pod(initContainers=[{"name": "i", "securityContext": {"privileged": True}}])[0] == (
        f"{SPEC}.initContainers[i].securityContext.privileged"
    )


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"runAsUser": 0}, "runAsUser"),
        ({"runAsNonRoot": False}, "runAsNonRoot"),
        ({"seccompProfile": None}, "seccompProfile"),
        ({"sysctls": [{"name": "x", "value": "1"}]}, "sysctls"),
        ({"seLinuxOptions": {"level": "s0"}}, "seLinuxOptions"),
    ],
)
def test_the_pods_security_cannot_be_lowered(context: dict, field: str) -> None:
    assert of_pod(securityContext=context) == [f"{SPEC}.securityContext.{field}"]


def test_the_api_token_stays_off() -> None:
    assert of_pod(automountServiceAccountToken=True) == [f"{SPEC}.automountServiceAccountToken"]
    assert of_pod(automountServiceAccountToken=None) == [f"{SPEC}.automountServiceAccountToken"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"trainjobs.dev/run-uid": "another"}},
        {"labels": {"training.kubeflow.org/replica-index": "0"}},
        {"labels": {"kueue.x-k8s.io/queue-name": "other"}},
        {"annotations": {"trainjobs.dev/recipe": "{}"}},
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/pytorch": "unconfined"}},
        {"annotations": {"sidecar.istio.io/userVolume": '[{"name":"x","hostPath":{"path":"/"}}]'}},
        {"annotations": {"k8s.v1.cni.cncf.io/networks": "other/storage"}},
        {"annotations": {"vault.hashicorp.com/agent-inject": "true"}},
        {"labels": {"app": "payments"}},
        {"labels": {"app.kubernetes.io/name": "payments"}},
        {"labels": {"user.trainjobs.dev": "x"}},
    ],
)
def test_labels_and_annotations_that_others_go_by_are_refused(metadata: dict) -> None:
    kind = next(iter(metadata))
    name = next(iter(metadata[kind]))

    assert fields(podTemplate={"metadata": metadata}) == [f"spec.podTemplate.metadata.{kind}[{name}]"]


def test_labels_and_annotations_that_are_listed_are_allowed() -> None:
    own = {
        "labels": {"user.trainjobs.dev/team": "a"},
        "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
    }
    of_platform = {"labels": {"cost-center": "7"}, "annotations": {"example.com/anything": "rdma"}}
    lists = PLATFORM.model_copy(
        update={"allowed_pod_labels": ["cost-center"], "allowed_pod_annotations": ["example.com/"]}
    )

    assert fields(podTemplate={"metadata": own}) == []
    assert fields(lists, podTemplate={"metadata": own}) == []
    assert fields(lists, podTemplate={"metadata": of_platform}) == []
    assert len(fields(podTemplate={"metadata": of_platform})) == 2
    assert fields(lists, podTemplate={"metadata": {"labels": {"cost-center-2": "7"}}}) != []
    assert fields(podTemplate={"metadata": {"name": "x"}}) == ["spec.podTemplate.metadata.name"]


def test_what_the_operator_goes_by_is_never_a_manifests_to_set() -> None:
    lists = PLATFORM.model_copy(update={"allowed_pod_labels": ["trainjobs.dev/", "kueue.x-k8s.io/"]})

    for name in ("trainjobs.dev/run-uid", "trainjobs.dev/more", "kueue.x-k8s.io/queue-name"):
        assert fields(lists, podTemplate={"metadata": {"labels": {name: "x"}}}) == [
            f"spec.podTemplate.metadata.labels[{name}]"
        ]


def test_system_priorities_are_refused_where_they_are_asked_for() -> None:
    assert fields(runPolicy={"priorityClassName": "system-node-critical"}) == [
        "spec.runPolicy.priorityClassName"
    ]
    assert of_pod(priorityClassName="system-cluster-critical") == [f"{SPEC}.priorityClassName"]
    assert of_pod(priorityClassName="batch") == []


def test_only_listed_priorities_are_allowed() -> None:
    lists = PLATFORM.model_copy(update={"priority_classes": ["batch"]})
    none = PLATFORM.model_copy(update={"priority_classes": []})
    system = PLATFORM.model_copy(update={"priority_classes": ["system-node-critical", "*"]})

    assert fields(lists, runPolicy={"priorityClassName": "batch"}) == []
    assert fields(lists, runPolicy={"priorityClassName": "urgent"}) == ["spec.runPolicy.priorityClassName"]
    assert fields(lists, podTemplate={"spec": {"priorityClassName": "urgent"}}) == [
        f"{SPEC}.priorityClassName"
    ]
    assert fields(none) == []
    assert fields(none, runPolicy={"priorityClassName": "batch"}) == ["spec.runPolicy.priorityClassName"]
    assert fields(system, runPolicy={"priorityClassName": "system-node-critical"}) != []
    # One that is allowed does not speak for the other that takes its place.
    both = {"podTemplate": {"spec": {"priorityClassName": "batch"}}}
    assert fields(lists, runPolicy={"priorityClassName": "urgent"}, **both) == [
        "spec.runPolicy.priorityClassName"
    ]


def test_only_listed_service_accounts_are_allowed() -> None:
    assert fields(runtime={"serviceAccountName": "trainer"}) == []
    assert fields(runtime={"serviceAccountName": "default"}) == []
    assert fields(runtime={"serviceAccountName": "admin"}) == ["spec.runtime.serviceAccountName"]
    assert of_pod(serviceAccountName="admin") == [f"{SPEC}.serviceAccountName"]


def test_the_operators_variables_cannot_be_given_by_the_manifest() -> None:
    assert fields(runtime={"env": [{"name": "TRAINJOBS_STATUS_URL", "value": "http://x"}]})[0] == (
        "spec.runtime.env[0]"
    )


def test_code_from_models_is_refused_where_the_platform_forbids_it() -> None:
    forbids = PLATFORM.model_copy(update={"trust_remote_code": False})
    model = {"uri": "s3://models/base", "trustRemoteCode": True}

    assert fields(baseModel=model) == []
    assert fields(forbids, baseModel=model) == ["spec.baseModel.trustRemoteCode"]
    own = {"command": ["train.py"]}
    algorithm = {"type": "DPO", "dpo": {"reference": model}}
    assert fields(forbids, kind="RLHFRun", algorithm=algorithm, runtime=own) == [
        "spec.algorithm.dpo.reference.trustRemoteCode"
    ]


def test_files_beside_the_manifest_are_one_refusal_that_names_every_field() -> None:
    found = rendering(
        a_plan(
            baseModel={"uri": "file://./model"},
            dataset={"train": "file://./t.jsonl", "test": "s3://bucket/t"},
        )
    ).violations

    assert [one.field for one in found] == ["spec.baseModel.uri, spec.dataset.train"]
    assert found[0].reason is Reason.INVALID_SPEC


def test_checkpoints_in_a_folder_of_the_pod_are_refused_unless_a_claim_is_mounted_there() -> None:
    storage = {"storage": {"uri": "file:///mnt/results"}}
    volume = {
        "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}],
        "containers": [{"name": "pytorch", "volumeMounts": [{"name": "results", "mountPath": "/mnt"}]}],
    }

    assert fields(checkpoints=storage) == ["spec.checkpoints.storage.uri"]
    assert fields(checkpoints=storage, podTemplate={"spec": volume}) == []


def test_nothing_lies_between_checkpoints_and_the_volume_that_they_go_to() -> None:
    claim = {"storage": {"uri": "pvc://results/runs"}}
    folder = {"storage": {"uri": "file:///mnt/results"}}
    own = [
        {"name": "results", "persistentVolumeClaim": {"claimName": "results"}},
        {"name": "v", "emptyDir": {}},
    ]

    def refused(checkpoints: dict, *mounts: dict) -> list[str]:
        container = {"name": "pytorch", "volumeMounts": [*mounts]}
        return fields(
            checkpoints=checkpoints, podTemplate={"spec": {"volumes": own, "containers": [container]}}
        )

    lasting = {"name": "results", "mountPath": "/mnt"}
    assert refused(claim) == refused(folder, lasting) == []
    assert refused(claim, {"name": "v", "mountPath": "/pvc/other"}) == []
    assert refused(claim, {"name": "v", "mountPath": "/pvc/results/"}) != []
    for path in ("/pvc/results", "/pvc/results/runs", "/pvc/results/runs/ml"):
        assert refused(claim, {"name": "v", "mountPath": path}) == ["spec.podTemplate"]
    assert refused(claim, {"mountPath": "/pvc/results", "name": "claim-0", "subPath": "x"}) == [
        "spec.podTemplate"
    ]
    assert refused(folder, lasting, {"name": "v", "mountPath": "/mnt/results"}) == [
        "spec.checkpoints.storage.uri"
    ]


def test_a_run_without_an_image_is_refused() -> None:
    assert fields(PLATFORM.model_copy(update={"image": ""})) == ["spec.runtime.image"]
    assert fields(PLATFORM.model_copy(update={"image": ""}), runtime={"image": "mine"}) == []


def test_a_recipe_that_no_annotation_holds_is_refused() -> None:
    found = fields(runtime={"command": ["x" * 16000] * 20})

    assert found == ["spec"]


def test_refusals_are_known_before_the_dependencies_are() -> None:
    waiting = {"fromRun": {"kind": "SFTRun", "name": "chat"}}

    assert refusals(a_run(baseModel=waiting), PLATFORM) == ()
    refused = refusals(a_run(baseModel=waiting, podTemplate={"spec": {"hostPID": True}}), PLATFORM)
    assert [(one.reason, one.permanent) for one in refused] == [(Reason.POLICY_DENIED, True)]


def test_a_run_that_cannot_be_resolved_is_refused() -> None:
    refused = refusals(a_run(), Settings(image="x"))

    assert [one.reason for one in refused] == [Reason.INVALID_SPEC]
    assert refused[0].message.startswith("spec.checkpoints.storage.uri: ")


def test_a_dependency_that_is_known_is_not_assumed() -> None:
    run = a_run(baseModel={"fromRun": {"kind": "SFTRun", "name": "chat"}})
    pinned = with_assumed_models(run, "s3://first")

    assert with_assumed_models(pinned, "s3://second") == pinned
    assert pinned.status.dependencies[0].uri == "s3://first/ml/SFTRun/chat/artifacts/model-a0001"


@given(
    st.dictionaries(
        st.sampled_from(["hostNetwork", "hostPID", "nodeName", "runtimeClassName", "volumes", "containers"]),
        st.recursive(
            st.none() | st.booleans() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["name", "hostPath", "privileged", "securityContext"]), inner, max_size=2
                )
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_no_value_however_odd_smuggles_a_forbidden_field_past(spec: dict) -> None:
    refused = refusals(a_run(podTemplate={"spec": spec}), PLATFORM)

    forbidden = {"hostNetwork", "hostPID", "nodeName", "runtimeClassName"}
    if any(spec.get(name) is not None for name in forbidden):
        assert refused
