"""The chart's values → the operator's settings, as the chart's template writes them (`_settings.tpl`).

What a namespace says goes over what all have: a storage with a `uri` is one of its own and replaces the
default, without one it changes what it names; templates and variables are added; all else replaces.
"""

from typing import Final

from pydantic import Field, JsonValue

from trainjobs.api.base import Section
from trainjobs.api.policy import GangScheduler
from trainjobs.api.runtime import PodTemplate
from trainjobs.core.settings import Settings
from trainjobs.errors import UsageError

RELEASE: Final = "trainjobs"
RELEASE_NAMESPACE: Final = "trainjobs-system"
"""Where the operator is taken to be installed: the values do not say."""
_CHART: Final = "trainjobs"
_NAME_LENGTH: Final = 40
_STORAGE: Final = ("uri", "endpoint", "region", "secret_name", "ca_config_map_name")

Values = dict[str, JsonValue]


class ImageValues(Section):
    """An image; the digest goes before the tag, and without a tag it is the chart's version."""

    repository: str | None = "trainjobs/trainer"
    """The image without its tag."""
    tag: str | None = ""
    """Its tag."""
    digest: str | None = ""
    """Its digest."""

    def reference(self, version: str) -> str:
        """The image as pods name it."""
        return (
            f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag or version}"
        )


class StorageValues(Section):
    """Where runs are stored; what is empty is not given."""

    uri: str | None = ""
    """Where."""
    endpoint: str | None = ""
    """Endpoint, where it is not AWS."""
    region: str | None = ""
    """Region."""
    secret_name: str | None = ""
    """Secret with the keys."""
    ca_config_map_name: str | None = ""
    """ConfigMap with the authority of the endpoint."""


class RunValues(Section):
    """`runs` of the values, and what one of `namespaces` may say of it; None for what is not said."""

    image: ImageValues | None = None
    """Image of training nodes."""
    storage: StorageValues | None = None
    """Where checkpoints and artifacts go."""
    service_accounts: list[str] | None = None
    """See `Settings`, as for all that follows."""
    priority_classes: list[str] | None = None
    """The same."""
    allowed_pod_labels: list[str] | None = None
    """The same."""
    allowed_pod_annotations: list[str] | None = None
    """The same."""
    trust_remote_code: bool | None = None
    """The same."""
    grace_seconds: int | None = None
    """The same."""
    node_grace_seconds: int | None = None
    """The same."""
    accelerators: list[str] | None = None
    """The same."""
    pod_template: PodTemplate | None = None
    """What every pod needs here."""
    env: list[Values] | None = None
    """Environment of every pod."""
    pod_security_context: Values | None = None
    """Takes the place of the pods' own."""


class StatusValues(Section):
    """`status` of the values."""

    audience: str = Settings.model_fields["status_audience"].default
    """Audience of the agents' tokens."""
    cluster_domain: str | None = None
    """The cluster's DNS domain."""
    tls: Values | None = None
    """Certificate of the status server."""


class ChartValues(Section):
    """What a values file may hold; what is the operator's alone is not looked into."""

    name_override: str | None = ""
    """Replaces the chart's name in the names of objects."""
    fullname_override: str | None = ""
    """Replaces the whole prefix."""
    common_labels: Values | None = None
    """The operator's."""
    crds: Values | None = None
    """The operator's."""
    rbac: Values | None = None
    """The operator's."""
    watch: Values | None = None
    """The operator's."""
    runs: RunValues = Field(default_factory=RunValues)
    """What runs get that do not say otherwise."""
    namespaces: dict[str, RunValues] | None = None
    """What differs in one namespace."""
    operator: Values | None = None
    """The operator's."""
    service_account: Values | None = None
    """The operator's."""
    status: StatusValues = Field(default_factory=StatusValues)
    """Where agents report to."""
    gang_schedulers: list[GangScheduler] = Field(default_factory=list)
    """Gang schedulers that runs may name."""
    admission_policy: Values | None = None
    """The operator's."""
    pod_disruption_budget: Values | None = None
    """The operator's."""
    network_policy: Values | None = None
    """The operator's."""
    monitoring: Values | None = None
    """The operator's."""
    global_: Values | None = Field(default=None, alias="global")
    """Helm's."""


def operator_settings(values: ChartValues, version: str) -> dict[str, object]:
    """The part of the operator's settings file that says what runs get.

    Args:
        values: as a values file gives them; the chart's defaults stand for the rest.
        version: of the chart, which is the images' where no tag is given.

    Raises:
        UsageError: a namespace has a storage without a `uri`, and so have all.
    """
    runs = values.runs
    every = {
        "statusUrl": f"https://{_fullname(values)}-status.{RELEASE_NAMESPACE}.svc/heartbeat",
        "statusAudience": values.status.audience,
        "gangSchedulers": [*values.gang_schedulers],
        # Other than on one machine, code that a model carries is not trusted unless the values say so.
        "trustRemoteCode": False,
        **_settings(runs.model_copy(update={"image": runs.image or ImageValues()}), None, version),
    }
    named = (values.namespaces or {}).items()
    _check_storage(values)
    return {"defaults": every, "namespaces": {name: _settings(own, runs, version) for name, own in named}}


def _settings(runs: RunValues, defaults: RunValues | None, version: str) -> dict[str, object]:
    """What all runs get, or (with `defaults`) what those of one namespace get instead."""
    plain = runs.model_dump(
        by_alias=True,
        exclude_none=True,
        exclude={"image", "storage", "pod_template", "env", "pod_security_context"},
    )
    found: dict[str, object] = {**plain, **_storage(runs.storage, is_own=defaults is not None)}
    if runs.image is not None:
        found["image"] = runs.image.reference(version)
    if runs.pod_security_context:
        found["podSecurityContext"] = runs.pod_security_context
    if runs.pod_template:
        every = defaults.pod_template if defaults is not None else None
        found["podTemplates"] = [one for one in (every, runs.pod_template) if one]
    if runs.env:
        found["env"] = [*((defaults.env if defaults is not None else None) or []), *runs.env]
    return found


def _storage(storage: StorageValues | None, *, is_own: bool) -> dict[str, object]:
    if storage is None:
        return {}
    given = {f"storage_{name}": getattr(storage, name) or None for name in _STORAGE}
    replaces = is_own and storage.uri
    return {
        Settings.model_fields[name].alias or name: value
        for name, value in given.items()
        if value is not None or replaces
    }


def _check_storage(values: ChartValues) -> None:
    if values.runs.storage is not None and values.runs.storage.uri:
        return
    for name, own in (values.namespaces or {}).items():
        if own.storage is not None and own.storage.model_fields_set and not own.storage.uri:
            raise UsageError(
                f"namespaces.{name}.storage.uri: required, as runs.storage.uri is not given either"
            )


def _fullname(values: ChartValues) -> str:
    """The chart's own name of its objects, `trainjobs.fullname`."""
    name = (values.name_override or _CHART)[:_NAME_LENGTH].rstrip("-")
    found = values.fullname_override or (RELEASE if name in RELEASE else f"{RELEASE}-{name}")
    return found[:_NAME_LENGTH].removesuffix("-")
