"""Values that are wrong are refused, by a line that names them."""

from typing import Any

import pytest

from tests.charts.rendering import refusal


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"operatr": {}}, "additional properties 'operatr' not allowed"),
        ({"operator": {"replica": 3}}, "at '/operator': additional properties 'replica' not allowed"),
        ({"operator": {"replicas": 0}}, "at '/operator/replicas': minimum: got 0, want 1"),
        ({"operator": {"replicas": "2"}}, "at '/operator/replicas': got string, want integer"),
        ({"operator": {"terminationGracePeriodSeconds": 5}}, "minimum: got 5, want 30"),
        ({"runs": {"storage": {"uri": "bucket/prefix"}}}, "at '/runs/storage/uri'"),
        ({"runs": {"storage": {"endpoint": "s3.example"}}}, "at '/runs/storage/endpoint'"),
        ({"runs": {"storage": {"accessKey": "x"}}}, "additional properties 'accessKey' not allowed"),
        ({"runs": {"image": {"repository": "a:b@c"}}}, "at '/runs/image/repository'"),
        ({"runs": {"image": {"digest": "sha256:1"}}}, "at '/runs/image/digest'"),
        ({"runs": {"image": {"tag": 1.0}}}, "at '/runs/image/tag': got number, want string"),
        ({"namespaces": {"Team": {}}}, "at '/namespaces': additional properties 'Team' not allowed"),
        ({"namespaces": {"a": {"watch": True}}}, "at '/namespaces/a': additional properties 'watch'"),
        ({"namespaces": {"a": {"storage": {"secretName": "x"}}}}, "namespaces.a.storage.uri: required"),
        ({"runs": {"podTemplate": {"tolerations": []}}}, "additional properties 'tolerations' not allowed"),
        ({"runs": {"env": [{"name": "TRAINJOBS_X", "value": "1"}]}}, "at '/runs/env/0/name'"),
        ({"runs": {"env": [{"name": "X", "value": 1}]}}, "at '/runs/env/0/value': got number, want string"),
        ({"runs": {"accelerators": ["gpu"]}}, "at '/runs/accelerators/0'"),
        (
            {"operator": {"imagePullSecrets": ["x"]}},
            "at '/operator/imagePullSecrets/0': got string, want object",
        ),
        ({"status": {"tls": {"type": "Own"}}}, "at '/status/tls/type': value must be one of 'Generated'"),
        ({"watch": {"namespaces": "team-a"}}, "at '/watch/namespaces': got string, want array"),
        ({"watch": {"namespaces": ["a", "a"]}}, "at '/watch/namespaces'"),
        ({"monitoring": {"podMonitor": {"interval": "often"}}}, "at '/monitoring/podMonitor/interval'"),
        (
            {"gangSchedulers": ["Slurm"]},
            "at '/gangSchedulers/0': value must be one of 'Coscheduling', 'Volcano'",
        ),
        ({"gangSchedulers": ["Volcano", "Volcano"]}, "at '/gangSchedulers'"),
        ({"fullnameOverride": "9.lives"}, "at '/fullnameOverride'"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(values: dict[str, Any], said: str) -> None:
    assert said in refusal(values)
