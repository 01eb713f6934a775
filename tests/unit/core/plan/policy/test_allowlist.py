"""The lists that the operator and the chart's admission policy go by hold what plans are made of."""

import re

from tests.unit.core.plan.builders import PLATFORM, a_plan
from trainjobs.core.plan.allowlist import PLANNED_VOLUMES
from trainjobs.core.plan.pod import ATTACHED_VOLUME
from trainjobs.core.plan.render import rendering


def test_every_planned_volume_has_a_listed_name() -> None:
    job = rendering(
        a_plan(
            settings=PLATFORM.model_copy(update={"status_url": "https://status"}),
            workspace={"cacheClaimName": "cache"},
            baseModel={"uri": "pvc://models/base"},
            dataset={"train": "configMap://rows/a.jsonl"},
            checkpoints={"storage": {"uri": "s3://runs", "secretName": "keys", "caConfigMapName": "ca"}},
        )
    ).objects[1]
    spec = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]
    names = {one["name"] for one in spec["volumes"]}

    assert {"storage-ca", "cache", "claim-0", "config-0"} <= names
    assert all(re.fullmatch(PLANNED_VOLUMES, name) for name in names - {ATTACHED_VOLUME})
    assert not re.fullmatch(PLANNED_VOLUMES, ATTACHED_VOLUME)
