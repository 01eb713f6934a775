"""Whatever a manifest asks of its pods: what is not refused gives it nothing that it may not have.

The other tests say what is refused. This one says what pods that were not refused are like, in terms of what
Kubernetes makes of them, with a platform that gives its own part and with one that does not.
"""

import posixpath
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.core.plan.builders import PLATFORM, a_plan
from trainjobs.core.plan.decoding import undecodable
from trainjobs.core.plan.merge import merged
from trainjobs.core.plan.pod import pod_template
from trainjobs.core.plan.policy import violations
from trainjobs.core.plan.pytorchjob import backend

PLAN = a_plan(settings=PLATFORM.model_copy(update={"status_url": "https://status", "status_ca": "PEM"}))
DROPPED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CONDITIONS = "requiredDuringSchedulingIgnoredDuringExecution"
PLATFORMS_OWN: dict[str, Any] = {
    "metadata": {"labels": {"mesh": "off"}, "annotations": {"example.com/networks": "rdma"}},
    "spec": {
        "hostNetwork": True,
        "runtimeClassName": "gvisor",
        "affinity": {"podAffinity": {CONDITIONS: [{"topologyKey": "zone", "namespaces": ["cache"]}]}},
        "volumes": [
            {"name": "fabric", "hostPath": {"path": "/dev/infiniband"}},
            {"name": "shipping", "configMap": {"name": "shipping"}},
        ],
        "containers": [
            {
                "name": "pytorch",
                "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
                "volumeMounts": [{"name": "fabric", "mountPath": "/dev/infiniband", "readOnly": True}],
            },
            {
                "name": "shipper",
                "image": "shipper:1",
                "securityContext": {"privileged": True, "runAsUser": 0},
                "volumeMounts": [{"name": "shipping", "mountPath": "/etc/shipping"}],
            },
        ],
    },
}
HARMLESS_FIELDS = {
    "affinity",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "nodeSelector",
    "priorityClassName",
    "resourceClaims",
    "schedulerName",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
}
HARMLESS_VOLUMES = {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "secret"}

OF_THE_AGENT = ("/etc/trainjobs", "/dev/termination-log")

words = st.sampled_from
volume_names = words(["trainjobs", "tmp", "workspace", "fabric", "shipping", "own", "injected"])
paths = words(
    [
        "/etc/trainjobs",
        "/etc/trainjobs/",
        "//etc/trainjobs",
        "/etc/trainjobs/recipe.json",
        "/etc/x/../trainjobs",
        "etc/trainjobs/token",
        "/etc",
        "/",
        "/tmp",
        "/tmp/",
        "/data",
        "/dev",
        "/dev/termination-log/",
        "/dev/infiniband",
        "/etc/shipping",
    ]
)


def one_of(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One of the fields."""
    return st.one_of(*(st.fixed_dictionaries({name: held}) for name, held in fields.items()))


def a_list(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return items.map(lambda item: [item])


sources = words(
    [
        {"hostPath": {"path": "/"}},
        {"emptyDir": {}},
        {"secret": {"secretName": "s"}},
        {"csi": {"driver": "d"}},
        {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {"projected": {"sources": [{"secret": {"name": "s"}}]}},
    ]
)
volumes = st.builds(lambda name, source: {"name": name, **source}, volume_names, sources)
mounts = st.builds(
    lambda name, path, rest: {"name": name, "mountPath": path, **rest},
    volume_names,
    paths,
    words([{}, {"readOnly": True}, {"readOnly": False}, {"subPath": "recipe.json"}]),
)
security = st.just(DROPPED) | one_of(
    privileged=st.booleans(),
    allowPrivilegeEscalation=st.booleans(),
    runAsNonRoot=st.booleans(),
    runAsUser=words([0, 1000]),
    capabilities=words([{"add": ["SYS_ADMIN"]}, {"drop": ["NET_RAW"]}, {"drop": None}]),
    seccompProfile=words([{"type": "RuntimeDefault"}, {"type": "Unconfined"}]),
)
variables = words(["TRAINJOBS_RECIPE", "TRAINJOBS_CACHE", "MINE"])
prefixes = words(["TRAINJOBS_", "TRAINJOBS_STATUS_", "TRAIN", "T", "MY_"])
containers = st.builds(
    lambda name, held: ({"name": name, **({"securityContext": DROPPED} if name == "side" else {}), **held}),
    words(["pytorch", "shipper", "side"]),
    one_of(volumeMounts=a_list(mounts))
    | one_of(
        image=words(["mine:1"]),
        command=words([["sh"]]),
        securityContext=security,
        env=a_list(variables.map(lambda name: {"name": name, "value": "x"})),
        envFrom=a_list(prefixes.map(lambda prefix: {"prefix": prefix, "secretRef": {"name": "s"}})),
        terminationMessagePath=words(["/etc/trainjobs/recipe.json", "/dev/termination-log"]),
        lifecycle=words([{"postStart": {"exec": {"command": ["sh"]}}}]),
    ),
)
marks = st.dictionaries(
    words(
        [
            "trainjobs.dev/recipe",
            "trainjobs.dev/run-uid",
            "mesh",
            "app",
            "user.trainjobs.dev/team",
            "sidecar.istio.io/userVolume",
            "example.com/networks",
            "karpenter.sh/do-not-disrupt",
        ]
    ),
    st.none() | words(["x"]),
    max_size=2,
)
removals = words(
    [
        {"metadata": None},
        {"metadata": {"labels": None}},
        {"metadata": {"annotations": None}},
        {"spec": {"automountServiceAccountToken": None}},
        {"spec": {"runtimeClassName": None}},
        {"spec": {"securityContext": None}},
        {"spec": {"volumes": None}},
        {"spec": {"containers": None}},
        {"spec": {"containers": [{"name": "pytorch", "env": None}]}},
        {"spec": {"containers": [{"name": "pytorch", "command": None}]}},
        {"spec": {"containers": [{"name": "pytorch", "volumeMounts": None}]}},
        {"spec": {"containers": [{"name": "pytorch", "securityContext": None}]}},
    ]
)
pod_fields = one_of(
    hostNetwork=st.booleans(),
    hostPID=st.booleans(),
    nodeName=words(["node"]),
    runtimeClassName=words(["other"]),
    automountServiceAccountToken=st.booleans(),
    shareProcessNamespace=st.booleans(),
    nodeSelector=words([{"pool": "x"}]),
)
terms = words([{}, {"namespaces": ["x"]}, {"namespaces": []}, {"namespaceSelector": {}}]).map(
    lambda said: {"topologyKey": "zone", **said}
)
near = words(["podAffinity", "podAntiAffinity"]).flatmap(
    lambda kind: terms.map(lambda term: {kind: {CONDITIONS: [term]}})
)
in_spec = (
    one_of(affinity=st.none() | near),
    one_of(securityContext=security),
    one_of(volumes=a_list(volumes)),
    one_of(containers=a_list(containers)),
    one_of(initContainers=a_list(containers)),
)
asked = st.one_of(
    removals,
    one_of(metadata=one_of(labels=marks, annotations=marks)),
    one_of(spec=pod_fields),
    *(one_of(spec=held) for held in in_spec),
)


@cache
def trusted_pod(*, platforms: bool) -> dict[str, Any]:
    planned = pod_template(PLAN, backend(PLAN))
    return merged(planned, PLATFORMS_OWN) if platforms else planned


@settings(max_examples=600)
@given(templates=st.lists(asked, min_size=1, max_size=2), platforms=st.booleans())
def test_a_pod_that_is_not_refused_has_nothing_that_the_manifest_may_not_give_it(
    templates: list[dict], platforms: bool
) -> None:
    trusted = final = trusted_pod(platforms=platforms)
    for template in templates:
        final = merged(final, template)
    if not any(map(undecodable, templates)) and not violations(PLAN, trusted, final):
        assert list(gained(trusted, final)) == []


@pytest.mark.parametrize("platforms", [False, True])
def test_what_the_platform_gives_is_not_held_against_the_manifest(platforms: bool) -> None:
    trusted = trusted_pod(platforms=platforms)
    side = {"name": "side", "image": "x", "securityContext": DROPPED}

    assert violations(PLAN, trusted, trusted) == ()
    assert violations(PLAN, trusted, merged(trusted, {"spec": {"containers": [side]}})) == ()


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"runtimeClassName": None}, "runtimeClassName"),
        ({"hostNetwork": False}, "hostNetwork"),
        ({"containers": [{"name": "shipper", "image": "mine:1"}]}, "containers[shipper]"),
        ({"volumes": [{"name": "shipping", "emptyDir": {}}]}, "volumes[shipping]"),
        (
            {
                "containers": [
                    {"name": "pytorch", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}
                ]
            },
            "containers[pytorch].securityContext.capabilities.add",
        ),
        (
            {"containers": [{"name": "pytorch", "volumeMounts": [{"name": "fabric", "mountPath": "/f"}]}]},
            "containers[pytorch].volumeMounts[/f].name",
        ),
        (
            {
                "containers": [
                    {"name": "pytorch", "volumeMounts": [{"mountPath": "/dev/infiniband", "readOnly": False}]}
                ]
            },
            "containers[pytorch].volumeMounts[/dev/infiniband].name",
        ),
    ],
)
def test_what_the_platform_gives_is_the_platforms(spec: dict, field: str) -> None:
    trusted = trusted_pod(platforms=True)
    found = violations(PLAN, trusted, merged(trusted, {"spec": spec}))

    assert [one.field for one in found] == [f"spec.podTemplate.spec.{field}"]


def gained(trusted: dict, final: dict) -> Iterator[str]:
    """Everything by which the final pod is more, or something else, than a manifest may make it."""
    for kind in ("labels", "annotations"):
        before, after = trusted["metadata"][kind], final["metadata"].get(kind, {})
        for name in {*before, *after}:
            free = name.startswith("user.trainjobs.dev/") or name == "karpenter.sh/do-not-disrupt"
            if before.get(name) != after.get(name) and (name in before or not free):
                yield f"{kind} {name}"
    old, new = trusted["spec"], final["spec"]
    yield from gained_fields(old, new)
    yield from gained_volumes(old, new)
    for group in ("initContainers", "containers"):
        for container in new.get(group, []):
            before = by_name(old.get(group, [])).get(container["name"], {})
            yield from gained_privileges(old, new, before, container)
            yield from gained_mounts(old, new, before, container)
    agents = [by_name(one["containers"])["pytorch"] for one in (old, new)]
    if [told(old, agents[0]), old["volumes"][0]] != [told(new, agents[1]), by_volume(new)["trainjobs"]]:
        yield "what the agent is told"
    others = old.get("containers", [])[1:]
    names = {one["name"] for one in others}
    if others != [one for one in new["containers"] if one["name"] in names]:
        yield "the platform's container"


def gained_fields(old: dict, new: dict) -> Iterator[str]:
    for name in {*old, *new} - HARMLESS_FIELDS:
        if old.get(name) != new.get(name):
            yield name
    if foreign(old) != foreign(new):
        yield "pods of other namespaces to be placed by"


def foreign(spec: dict) -> list[tuple[str, dict]]:
    return [
        (kind, term)
        for kind in ("podAffinity", "podAntiAffinity")
        for term in (spec.get("affinity") or {}).get(kind, {}).get(CONDITIONS, [])
        if term.get("namespaces") or "namespaceSelector" in term
    ]


def gained_volumes(old: dict, new: dict) -> Iterator[str]:
    for name, volume in by_volume(new).items():
        if volume == by_volume(old).get(name):
            continue
        harmless = HARMLESS_VOLUMES | {"name", "projected"}
        tokens = [one for one in (volume.get("projected") or {}).get("sources", []) if "secret" not in one]
        if set(volume) - harmless or tokens:
            yield f"volume {name}"


def gained_privileges(old: dict, new: dict, before: dict, container: dict) -> Iterator[str]:
    had, has = before.get("securityContext", {}), container.get("securityContext", {})
    pod = new.get("securityContext", {})
    if has == had and pod == old.get("securityContext", {}):
        return
    if has.get("privileged") and not had.get("privileged"):
        yield "privileged"
    if has.get("allowPrivilegeEscalation", True) and not had.get("privileged"):
        yield "escalation"
    rights, granted = has.get("capabilities", {}), had.get("capabilities", {}).get("add", [])
    if set(rights.get("add") or []) - set(granted):
        yield "capabilities"
    if "ALL" not in rights.get("drop", []) and not had.get("privileged"):
        yield "capabilities kept"
    merged_context = {**pod, **has}
    if merged_context.get("runAsUser") == 0 and not had.get("privileged"):
        yield "root"
    if not merged_context.get("runAsNonRoot") or merged_context["seccompProfile"]["type"] == "Unconfined":
        yield "root or no seccomp"


def gained_mounts(old: dict, new: dict, before: dict, container: dict) -> Iterator[str]:
    there = by_volume(new)
    for mount in container.get("volumeMounts") or []:
        if mount["name"] not in there:
            yield f"a mount of what somebody else will add: {mount['name']}"
        elif mount not in before.get("volumeMounts", []):
            volume = there[mount["name"]]
            kinds = {*volume} - {"name"} - HARMLESS_VOLUMES
            if mount["name"] in ("trainjobs", "shipping") or kinds - {"projected"}:
                yield f"a mount of {mount['name']}"


def told(spec: dict, container: dict) -> dict[str, Any]:
    """What an agent is told, finds and says, as its kubelet brings it about."""
    variables = {
        one["name"]: one for one in container.get("env") or [] if one["name"].startswith("TRAINJOBS_")
    }
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix") or ""
        if prefix and ("TRAINJOBS_".startswith(prefix) or prefix.startswith("TRAINJOBS_")):
            variables[prefix] = source
    seen = [
        one
        for one in container.get("volumeMounts") or []
        if any(posixpath.commonpath([kept, place(one)]) in (kept, place(one)) for kept in OF_THE_AGENT)
    ]
    word = [container.get(name) for name in ("terminationMessagePath", "terminationMessagePolicy")]
    return {"variables": variables, "seen": seen, "word": word, "command": container.get("command")}


def place(mount: dict) -> str:
    return posixpath.normpath("/" + mount["mountPath"].strip("/"))


def by_name(found: list[dict]) -> dict[str, dict]:
    return {one["name"]: one for one in found}


def by_volume(spec: dict) -> dict[str, dict]:
    return by_name(spec.get("volumes") or [])
