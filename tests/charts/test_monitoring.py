"""Alerts and dashboards: real Prometheus reads them, and they ask for series that there are."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.promtool import promtool
from tests.charts.rendering import CHART, MONITORED, of_kind, render
from trainjobs.core import metrics
from trainjobs.core.metrics import Series

DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
SERIES = {one.name: one for one in vars(metrics).values() if isinstance(one, Series)}
DOCS = CHART.parents[1] / "docs"


def rules() -> dict[str, Any]:
    """The rule groups as they are rendered."""
    (rule,) = of_kind(render(MONITORED), "PrometheusRule")
    return dict(rule["spec"])


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    """The rules, as Prometheus reads them."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules()))
    return file


def test_prometheus_has_nothing_to_say_against_the_rules(rule_file: Path) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rule_file)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do_and_is_in_the_documentation() -> None:
    operations = (DOCS / "operations.md").read_text()
    for rule in _alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["alert"] in operations


def test_alerts_and_dashboards_ask_for_series_that_there_are() -> None:
    asked = {name for expression in _expressions() for name in re.findall(r"trainjobs_\w+", expression)}

    assert {name for name in asked if _series(name) is None} == set()
    assert len(asked) > 15


def test_every_dashboard_is_one_that_grafana_finds() -> None:
    found = of_kind(render(MONITORED), "ConfigMap")

    maps = [one for one in found if "dashboard" in one["metadata"]["name"]]
    assert len(maps) == len(DASHBOARDS) == 3
    for one in maps:
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = one["data"].values()
        assert json.loads(text)["panels"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_the_panels_of_a_dashboard_are_apart_and_prometheus_reads_what_they_ask(
    file: Path, tmp_path: Path
) -> None:
    panels = json.loads(file.read_text())["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [cell for panel in panels for cell in _cells(panel["gridPos"])]
    assert len(set(cells)) == len(cells)
    # A recording rule for each: what promtool parses, it parses of these.
    recorded = [
        {"record": f"asked:{number}", "expr": expression.replace("$namespace", "a")}
        for number, expression in enumerate(_of_panels(panels))
    ]
    asked = tmp_path / "asked.yaml"
    asked.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": recorded}]}))
    done = promtool("check", "rules", asked)
    assert done.returncode == 0, done.stdout + done.stderr


def test_whose_series_an_agents_are_says_its_pod_and_not_what_it_serves() -> None:
    (monitor,) = of_kind(render(MONITORED), "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    assert endpoint["honorLabels"] is False
    assert monitor["spec"]["sampleLimit"] == 200
    told = {one["targetLabel"]: one["sourceLabels"] for one in endpoint["relabelings"]}
    assert told.keys() >= set(metrics.RUN_LABELS)
    assert told["namespace"] == ["__meta_kubernetes_namespace"]
    keep, drop = endpoint["metricRelabelings"]
    kept = {name for name in SERIES if re.fullmatch(keep["regex"], name)}
    assert kept == {one.name for one in metrics.AGENT}
    assert all(re.fullmatch(drop["regex"], f"exported_{name}") for name in metrics.RUN_LABELS)


RUN = 'namespace="a", kind="SFTRun", run="r"'
QUEUE = "trainjobs_workqueue_latency_seconds_bucket"


@dataclass(frozen=True)
class Story:
    """What Prometheus scrapes, a value a minute, and when an alert fires for it and when it does not."""

    series: dict[str, str]
    fires: str
    silent: str


STORIES = {
    "TrainjobsOperatorDown": Story({"trainjobs_build_info": "1x10 stale"}, fires="25m", silent="15m"),
    "TrainjobsNoLeader": Story({"trainjobs_leader": "1x10 0x30"}, fires="13m", silent="9m"),
    "TrainjobsTwoLeaders": Story(
        {'trainjobs_leader{pod="a"}': "1x30", 'trainjobs_leader{pod="b"}': "0x10 1x30"},
        fires="14m",
        silent="9m",
    ),
    "TrainjobsQueueSlow": Story(
        {
            f'{QUEUE}{{le="30"}}': "0x60",
            f'{QUEUE}{{le="60"}}': "0+5x60",
            f'{QUEUE}{{le="+Inf"}}': "0+5x60",
        },
        fires="30m",
        silent="10m",
    ),
    "TrainjobsOperatorRetries": Story(
        {"trainjobs_workqueue_retries_total": "0x30 0+30x60"}, fires="80m", silent="20m"
    ),
    # For an hour, not for as long as the run is kept.
    "TrainjobsRunFailed": Story(
        {f'trainjobs_run_phase{{{RUN}, phase="Failed"}}': "0x10 1x120"}, fires="30m", silent="90m"
    ),
    "TrainjobsRunRestarting": Story(
        {f'trainjobs_run_restarts_total{{{RUN}, reason="Hang"}}': "0x10 0+1x60"}, fires="30m", silent="5m"
    ),
    "TrainjobsRunNotStarting": Story(
        {
            f'trainjobs_run_phase{{{RUN}, phase="Pending"}}': "1x30 0x90",
            f'trainjobs_run_phase{{{RUN}, phase="Starting"}}': "0x30 1x90",
        },
        fires="70m",
        silent="50m",
    ),
    "TrainjobsCheckpointsOld": Story(
        {
            f"trainjobs_run_last_checkpoint_timestamp_seconds{{{RUN}}}": "0x150",
            f'trainjobs_run_phase{{{RUN}, phase="Running"}}': "1x130 0x20",
        },
        fires="110m",
        silent="140m",
    ),
    "TrainjobsUploadsFailing": Story(
        {
            f"trainjobs_agent_upload_failures_total{{{RUN}}}": "0+1x60",
            f"trainjobs_agent_pending_checkpoints{{{RUN}}}": "2x30 0x30",
        },
        fires="25m",
        silent="40m",
    ),
    "TrainjobsHeartbeatsLost": Story(
        {f"trainjobs_agent_heartbeat_failures_total{{{RUN}}}": "0x30 0+20x60"}, fires="60m", silent="25m"
    ),
}


def test_every_alert_has_its_story() -> None:
    assert STORIES.keys() == {rule["alert"] for rule in _alerts()}


@pytest.mark.parametrize("alert", STORIES)
def test_an_alert_fires_when_it_should_and_not_otherwise(alert: str, rule_file: Path, tmp_path: Path) -> None:
    story = STORIES[alert]

    def fires(at: str) -> bool:
        test = {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in story.series.items()],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": []}],
        }
        file = tmp_path / "test.yaml"
        file.write_text(yaml.safe_dump({"rule_files": [str(rule_file)], "tests": [test]}))
        done = promtool("test", "rules", file)
        # It expects no alert, and so says which one there is.
        assert done.returncode == 0 or f"alertname: {alert}" in done.stderr, done.stdout + done.stderr
        return done.returncode != 0

    assert fires(story.fires)
    assert not fires(story.silent)


def _alerts() -> list[dict[str, Any]]:
    return [rule for group in rules()["groups"] for rule in group["rules"]]


def _expressions() -> Iterator[str]:
    for rule in _alerts():
        yield rule["expr"]
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        yield from _of_panels(dashboard["panels"])
        for variable in dashboard["templating"]["list"]:
            yield variable.get("definition", "")


def _of_panels(panels: list[dict[str, Any]]) -> list[str]:
    return [target["expr"] for panel in panels for target in panel["targets"]]


def _cells(position: dict[str, int]) -> list[tuple[int, int]]:
    return [
        (position["x"] + across, position["y"] + down)
        for across in range(position["w"])
        for down in range(position["h"])
    ]


def _series(name: str) -> Series | None:
    plain = re.sub(r"_(bucket|count|sum)$", "", name)
    found = SERIES.get(name) or SERIES.get(plain)
    return found if found is not None and (name in SERIES or found.type == "histogram") else None
