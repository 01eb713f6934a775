"""Why a run is refused, as far as that is known before its dependencies are."""

import re

from tests.unit.core.plan.builders import PLATFORM, a_run
from trainjobs.api.conditions import Reason
from trainjobs.core.plan.render import refusals, with_assumed_models
from trainjobs.core.settings import Settings


def test_refusals_are_known_before_the_dependencies_are() -> None:
    waiting = {"fromRun": {"kind": "SFTRun", "name": "chat"}}

    assert refusals(a_run(baseModel=waiting), PLATFORM) == ()
    refused = refusals(a_run(baseModel=waiting, podTemplate={"spec": {"hostPID": True}}), PLATFORM)
    assert [(one.reason, one.permanent) for one in refused] == [(Reason.POLICY_DENIED, True)]


def test_a_template_that_others_would_wait_for_is_refused() -> None:
    env = [{"name": f"NAME_{index}", "value": "x"} for index in range(50_000)]
    template = {"spec": {"containers": [{"name": "pytorch", "env": env}]}}

    refused = refusals(a_run(podTemplate=template), PLATFORM)

    assert [one.reason for one in refused] == [Reason.INVALID_SPEC]
    assert re.search(
        r"^spec\.podTemplate: \d+ bytes are not allowed; give at most 131072$", refused[0].message
    )
    env[1000:] = []
    assert refusals(a_run(podTemplate=template), PLATFORM) == ()


def test_a_run_that_cannot_be_resolved_is_refused() -> None:
    refused = refusals(a_run(), Settings(image="x"))

    assert [one.reason for one in refused] == [Reason.INVALID_SPEC]
    assert refused[0].message.startswith("spec.checkpoints.storage.uri: ")


def test_a_dependency_that_is_known_is_not_assumed() -> None:
    run = a_run(baseModel={"fromRun": {"kind": "SFTRun", "name": "chat"}})
    pinned = with_assumed_models(run, "s3://first")

    assert with_assumed_models(pinned, "s3://second") == pinned
    assert pinned.status.dependencies[0].uri == "s3://first/ml/SFTRun/chat/artifacts/model-a0001"
