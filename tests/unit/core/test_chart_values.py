"""Chart values as the operator gets them; that the chart's template says the same is shown in `charts`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trainjobs.core.chart_values import ChartValues, ImageValues, RunValues, StorageValues, operator_settings
from trainjobs.errors import UsageError

CHART = Path(__file__).resolve().parents[3] / "charts" / "trainjobs"


def settings(**values: Any) -> dict[str, Any]:
    found: dict[str, Any] = operator_settings(ChartValues.model_validate(values), "1.2.3")
    return found


@pytest.mark.parametrize(
    ("section", "place"),
    [
        (ChartValues, ()),
        (RunValues, ("runs",)),
        (ImageValues, ("runs", "image")),
        (StorageValues, ("runs", "storage")),
    ],
)
def test_every_value_of_the_chart_is_known_and_no_other(section: Any, place: tuple[str, ...]) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in place:
        values = values[name]
    known = {field.alias for field in section.model_fields.values()}
    # What Helm hands every chart.
    assert known - {"global"} == values.keys()


def test_without_values_the_chart_s_own_image_is_taken_and_no_code_is_trusted() -> None:
    defaults = settings()["defaults"]

    assert defaults["image"] == "trainjobs/trainer:1.2.3"
    assert defaults["trustRemoteCode"] is False


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (
            {"uri": "s3://team-b"},
            {"storageUri": "s3://team-b", "storageRegion": None, "storageSecretName": None},
        ),
        ({"region": "eu"}, {"storageRegion": "eu"}),
        ({}, {}),
    ],
)
def test_a_storage_with_a_uri_is_a_namespace_s_own(own: dict[str, str], expected: dict[str, object]) -> None:
    found = settings(
        runs={"storage": {"uri": "s3://team-a", "secretName": "keys"}}, namespaces={"team": {"storage": own}}
    )

    assert found["defaults"]["storageUri"] == "s3://team-a"
    assert {**found["namespaces"]["team"], **expected} == found["namespaces"]["team"]
    assert ("storageSecretName" in found["namespaces"]["team"]) == bool(own.get("uri"))


def test_a_namespace_s_storage_without_any_uri_is_refused_as_the_chart_does() -> None:
    with pytest.raises(UsageError, match=r"namespaces\.team\.storage\.uri: required, as runs\.storage\.uri"):
        settings(namespaces={"team": {"storage": {"region": "eu"}}})


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ({}, "trainjobs-status"),
        ({"fullnameOverride": "ours"}, "ours-status"),
        ({"nameOverride": "train"}, "trainjobs-status"),
        ({"nameOverride": "other"}, "trainjobs-other-status"),
    ],
)
def test_agents_report_to_the_service_of_the_release(names: dict[str, str], host: str) -> None:
    assert settings(**names)["defaults"]["statusUrl"] == f"https://{host}.trainjobs-system.svc/heartbeat"
