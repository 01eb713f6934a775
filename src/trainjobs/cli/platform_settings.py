"""What a platform gives runs, as `trainjobs plan --settings` takes it.

A file of chart values, the settings file that the chart makes of them for the operator, or objects with the
ConfigMap that holds it: what `helm template` and `kubectl get configmap -o yaml` print.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from trainjobs.api.problems import problems
from trainjobs.api.yaml_documents import Document, YamlProblem, documents
from trainjobs.controller.settings import OperatorSettings, validated
from trainjobs.core.chart_values import ChartValues, operator_settings
from trainjobs.core.settings import Settings
from trainjobs.errors import UsageError

ASSUMED: Final = OperatorSettings(
    defaults=Settings(
        storage_uri="s3://platform-storage/runs",
        image="trainjobs-trainer",
        status_url="https://trainjobs-status.trainjobs.svc",
    )
)
AUTHORITY: Final = "the certificate authority of the status server: the cluster knows it"
"""Stands for it in what is planned."""
_SETTINGS: Final = "settings.yaml"
"""The operator's file, in the chart's ConfigMap."""


def platform(file: Path | None) -> OperatorSettings:
    """Read what a platform gives runs; without a file it is assumed.

    Raises:
        UsageError: the file is not there, or wrong; names the line or the field.
    """
    if file is None:
        return ASSUMED
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; name a file of the chart's values") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: not text in UTF-8 (byte {error.start}); save it as UTF-8") from None
    found = _documents(text, str(file))
    held = next((told for one in found if (told := _settings_of(one.value)) is not None), None)
    if held is not None:
        found = _documents(held, f"{file}: {_SETTINGS}")
    if len(found) > 1:
        raise UsageError(
            f"{file}: holds {len(found)} documents, none of them the operator's ConfigMap; "
            "give the chart's values, or the operator's settings"
        )
    body = found[0].value if found else {}
    if not isinstance(body, dict):
        raise UsageError(
            f"{file}: holds no mapping; give the chart's values, as in charts/trainjobs/values.yaml"
        )
    settings = body if "defaults" in body else _of_values(body, str(file))
    return _with_authority(validated({**settings}, str(file)))


def _documents(text: str, source: str) -> list[Document]:
    try:
        found = list(documents(text))
    except YamlProblem as error:
        raise UsageError(f"{source} line {error.line}: {error.message}") from None
    for line, _, message in (problem for one in found for problem in one.problems):
        raise UsageError(f"{source} line {line}: {message}")
    return found


def _settings_of(body: object) -> str | None:
    """The operator's settings file in its ConfigMap; None in any other object."""
    data = body.get("data") if isinstance(body, dict) and body.get("kind") == "ConfigMap" else None
    held = data.get(_SETTINGS) if isinstance(data, dict) else None
    return held if isinstance(held, str) else None


def _of_values(body: Mapping[str, object], source: str) -> dict[str, object]:
    try:
        values = ChartValues.model_validate(body)
    except ValidationError as error:
        raise UsageError(f"{source}: {next(problems(error, ChartValues, body))}") from None
    try:
        return operator_settings(values, version("trainjobs"))
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def _with_authority(settings: OperatorSettings) -> OperatorSettings:
    """`settings` with a word in place of what the operator reads from its own disk."""
    if settings.defaults.status_ca or not settings.defaults.status_url:
        return settings
    defaults = settings.defaults.model_copy(update={"status_ca": AUTHORITY})
    return settings.model_copy(update={"defaults": defaults})
