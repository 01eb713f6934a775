"""Properties of what people write: what the API server's code refuses, `trainjobs validate` refuses."""

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.crds.checker import CRDS, Case, as_quantities, ask
from tests.unit.api.written import METADATA, QUANTITIES
from trainjobs.api.manifest import check

ONE_KIND = [(CRDS / "sftruns.yaml").read_text()]
# Few examples of many cases each, never made smaller: every question starts a program.
MANY = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


def batches(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, min_size=40, max_size=60)


def run(metadata: object, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trainjobs.dev/v1alpha1",
        "kind": "SFTRun",
        "metadata": metadata,
        "spec": {"baseModel": {"uri": "hf://a/b"}, "dataset": {"train": "s3://bucket/rows"}, **spec},
    }


def disagreements(bodies: list[dict[str, Any]]) -> list[object]:
    verdicts = ask([Case(body) for body in bodies], definitions=ONE_KIND).verdicts
    return [
        (body["metadata"], [str(fault) for fault in faults], verdict.errors, verdict.unknown)
        for body, verdict in zip(bodies, verdicts, strict=True)
        if bool(faults := check(json.dumps(body), "m").faults) != verdict.refused
    ]


@MANY
@given(batches(METADATA))
def test_metadata_are_refused_by_both_or_by_none(written: list[Any]) -> None:
    assert disagreements([run(metadata) for metadata in written]) == []


@MANY
@given(batches(QUANTITIES))
def test_quantities_are_refused_by_both_or_by_none(written: list[Any]) -> None:
    name = {"name": "chat"}
    assert disagreements([run(name, resources={"limits": {"cpu": one}}) for one in written]) == []


@MANY
@given(batches(QUANTITIES))
def test_a_quantity_that_is_taken_is_one_to_kubernetes_own_type(written: list[str]) -> None:
    accepted = [
        one
        for one in written
        if not check(json.dumps(run({"name": "chat"}, workspace={"size": one})), "m").faults
    ]
    assert [one for one, taken in zip(accepted, as_quantities(accepted), strict=True) if not taken] == []
    known = ["500k", "1e3", "128Mi", "100m", "1.2.3", "...", "16K"]
    assert as_quantities(known) == [True, True, True, True, False, False, False]
