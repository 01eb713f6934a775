"""What helm makes of the chart, with the values of the installations that the tests look at."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.harness import parts

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "trainjobs"
RELEASE: Final = "trainjobs"
NAMESPACE: Final = "trainjobs-system"

Values = Mapping[str, Any]
Object = dict[str, Any]

MONITORED: Final[Values] = {
    "monitoring": {
        "serviceMonitor": {"enabled": True, "interval": "1m", "labels": {"release": "prometheus"}},
        "podMonitor": {
            "enabled": True,
            "interval": "1m",
            "labels": {"release": "prometheus"},
            "sampleLimit": 200,
        },
        "prometheusRule": {"enabled": True, "checkpointAgeHours": 1.5, "labels": {"release": "prometheus"}},
        "dashboards": {
            "enabled": True,
            "namespace": "grafana",
            "labels": {"grafana_dashboard": "1"},
            "annotations": {"folder": "Training"},
        },
    }
}
NAMESPACED: Final[Values] = {
    "watch": {"namespaces": ["team-a", "team-b"]},
    "crds": {"install": False},
    "rbac": {"aggregatedRoles": False},
}
INSTALLATIONS: Final[Mapping[str, Values]] = {
    "default": {},
    "namespaced": NAMESPACED,
    "monitored": MONITORED,
    "one replica": {
        "operator": {"replicas": 1},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"name": "given"},
        "rbac": {"create": False},
    },
    "admission policy": {
        "admissionPolicy": {"enabled": True},
        "watch": {"namespaces": ["team-a"]},
        "namespaces": {"team-a": {"priorityClasses": []}},
    },
    "cert-manager": {
        "status": {
            "clusterDomain": "cluster.example",
            "tls": {
                "type": "CertManager",
                "issuerRef": {"name": "internal", "kind": "ClusterIssuer", "group": "cert-manager.io"},
            },
        }
    },
    "everything": {
        "commonLabels": {"team": "platform"},
        "gangSchedulers": ["Coscheduling", "Volcano"],
        "runs": {
            "image": {"repository": "registry.example/trainer", "tag": "", "digest": f"sha256:{'a' * 64}"},
            "storage": {
                "uri": "s3://runs/all",
                "endpoint": "https://s3.example",
                "region": "eu-1",
                "secretName": "bucket",
                "caConfigMapName": "s3-ca",
            },
            "serviceAccounts": ["trainer"],
            "priorityClasses": ["batch"],
            "allowedPodLabels": ["cost-center", "example.com/"],
            "allowedPodAnnotations": ["example.com/"],
            "trustRemoteCode": True,
            "graceSeconds": 120,
            "nodeGraceSeconds": 30,
            "accelerators": ["example.com/*"],
            "podTemplate": {
                "spec": {"nodeSelector": {"pool": "all"}, "securityContext": {"runAsUser": None}}
            },
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "podSecurityContext": {"runAsNonRoot": True},
        },
        "namespaces": {
            "team-a": {"storage": {"uri": "s3://team-a"}},
            "team-b": {
                "storage": {"secretName": "team-b"},
                "podTemplate": {"spec": {"nodeSelector": {"pool": "b"}}},
                "env": [{"name": "NO_PROXY", "value": ".svc"}],
            },
            "123": {
                "serviceAccounts": [],
                "priorityClasses": ["*"],
                "image": {"repository": "registry.example/other", "tag": "1"},
            },
        },
        "operator": {
            "replicas": 3,
            "image": {
                "repository": "registry.example/operator",
                "tag": "2",
                "digest": "",
                "pullPolicy": "Always",
            },
            "workers": 32,
            "resyncSeconds": 60,
            "resources": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            "terminationGracePeriodSeconds": 60,
            "imagePullSecrets": [{"name": "registry"}],
            "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
            "podLabels": {"pod": "label"},
            "podAnnotations": {"pod": "annotation"},
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "control", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
            ],
            "priorityClassName": "platform",
        },
        "serviceAccount": {"annotations": {"cloud.example/role": "none"}},
        "status": {"audience": "own", "tls": {"type": "Secret", "secretName": "own-certificate"}},
        "networkPolicy": {
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "statusFrom": [{"podSelector": {}}],
        },
        **MONITORED,
    },
}
"""What the tests look at: each value of the chart is set somewhere here."""


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run helm, whichever way it ends."""
    command = [str(parts.HELM.binary()), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def template(values: Values) -> "subprocess.CompletedProcess[str]":
    """Run `helm template` with these values over the chart's own; once for the same values."""
    return _template(json.dumps(values))


@cache
def _template(values: str) -> "subprocess.CompletedProcess[str]":
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(values)
        file.flush()
        return helm("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", file.name)


def render(values: Values) -> list[Object]:
    """The objects of an installation."""
    done = template(values)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def refusal(values: Values) -> str:
    """What helm says of values that it refuses; fails where it takes them."""
    done = template(values)
    assert done.returncode != 0, "the values are taken"
    return done.stderr


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """The objects of some kinds."""
    return [one for one in objects if one["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object with this name."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found
