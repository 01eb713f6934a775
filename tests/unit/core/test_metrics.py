import re

from trainjobs.core import metrics


def test_names_are_prometheus_names_with_units_and_help():
    names = [series.name for series in metrics.AGENT]
    assert len(set(names)) == len(names)
    for series in metrics.AGENT:
        assert re.fullmatch(r"trainjobs_[a-z][a-z_]*[a-z]", series.name)
        assert series.name.endswith("_total") == (series.type == "counter") or series.name.endswith(
            "steps_total"
        )
        assert series.help.endswith(".")
        assert series.labels[:3] == metrics.RUN_LABELS
