"""What the operator is told when it starts: a file (the chart's values), environment variables, flags."""

from pathlib import Path
from typing import Annotated, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from trainjobs.api.base import Section
from trainjobs.api.problems import problems
from trainjobs.core.settings import Settings
from trainjobs.errors import UsageError

Port = Annotated[int, Field(ge=0, le=65535)]


class LeaderElection(Section):
    """How replicas agree on who works."""

    lease_name: str = "trainjobs-operator"
    """Name of the Lease in the operator's own namespace."""
    lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long another replica waits after the last renewal it saw, before it takes over."""
    renew_deadline_seconds: Annotated[float, Field(gt=0)] = 10.0
    """How long after its last renewal the leader may still write."""
    retry_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Time between two renewals, or two tries to take over."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.retry_seconds * 2 <= self.renew_deadline_seconds < self.lease_seconds:
            raise ValueError(
                "retrySeconds must be at most half of renewDeadlineSeconds, and that less than leaseSeconds"
            )
        return self


class StatusServerSettings(Section):
    """Where agents report to."""

    host: str = "0.0.0.0"  # noqa: S104
    """Address to listen on."""
    port: Port = 8443
    """Port to listen on; 0 for any free one."""
    certificate: str = ""
    """File with the certificate chain, PEM; empty: no status server."""
    key: str = ""
    """File with its key, PEM."""
    ca: str = ""
    """File with the certificate authority that agents are to trust, PEM; empty: what their image trusts.
    It is read again when it changes, and agents get the new authority beside the old one."""
    reload_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Time between two looks at these files, for new ones."""
    handover_seconds: Annotated[float, Field(ge=0)] = 180.0
    """How long a new certificate waits: until then agents have been given the authority that signed it."""
    service: str = ""
    """Service in the operator's namespace whose endpoint is the leader; empty: none is written."""
    advertised_address: str = ""
    """Address of this replica for that Service: the pod's own."""


class OperatorSettings(Section):
    """Everything the operator is told."""

    namespace: str = "default"
    """The operator's own namespace: its Lease and the Service of the status server are there."""
    identity: str = ""
    """Name of this replica, its pod's; empty for one made up."""
    watch_namespaces: list[str] = Field(default_factory=list)
    """Namespaces whose runs are served; none for all."""
    defaults: Settings = Field(default_factory=Settings)
    """What the platform gives runs in every namespace."""
    namespaces: dict[str, dict[str, object]] = Field(default_factory=dict)
    """What it gives runs of single namespaces instead."""
    image: str = ""
    """The operator's own image, which deletes stored data; empty: `deletionPolicy: Delete` says it cannot."""
    leader_election: LeaderElection | None = Field(default_factory=LeaderElection)
    """None: this is the only replica."""
    status_server: StatusServerSettings = Field(default_factory=StatusServerSettings)
    """Where agents report to."""
    metrics_host: str = "0.0.0.0"  # noqa: S104
    """Address of /metrics, /healthz and /readyz."""
    metrics_port: Port = 8080
    """Port of /metrics, /healthz and /readyz; 0 for any free one."""
    workers: Annotated[int, Field(ge=1, le=256)] = 8
    """Runs that are worked on at the same time."""
    resync_seconds: Annotated[float, Field(ge=1)] = 600.0
    """Time between two looks at every run, for events that were missed."""
    log_format: Literal["plain", "json"] = "json"
    """Log lines for people, or for machines."""
    kubeconfig: str | None = None
    """File with the way to the cluster; None for the pod's own credentials."""

    def for_namespace(self, namespace: str) -> Settings:
        """What the platform gives runs of a namespace."""
        own = self.namespaces.get(namespace)
        if not own:
            return self.defaults
        return Settings.model_validate({**self.defaults.model_dump(by_alias=True), **own})


VARIABLES: Final = {
    "TRAINJOBS_NAMESPACE": ("namespace",),
    "TRAINJOBS_IDENTITY": ("identity",),
    "TRAINJOBS_POD_IP": ("statusServer", "advertisedAddress"),
    "TRAINJOBS_LOG_FORMAT": ("logFormat",),
}
"""Environment variables that a pod fills from its own metadata, and the settings they are for."""


def load_settings(
    file: Path | None, environment: dict[str, str], flags: dict[str, object]
) -> OperatorSettings:
    """Read the settings: what a flag says goes before the environment, and that before the file.

    Args:
        file: YAML.
        environment: variables; only those of `VARIABLES` count.
        flags: YAML names and values of the top level; None for one that was not given.

    Raises:
        UsageError: something is wrong; names the file and the field.
    """
    source = str(file) if file is not None else "settings"
    body = _document(file) if file is not None else {}
    for name, path in VARIABLES.items():
        if value := environment.get(name):
            _put(body, path, value)
    body.update({name: value for name, value in flags.items() if value is not None})
    return _with_authority(validated(body, source))


def validated(body: dict[str, object], source: str) -> OperatorSettings:
    """The settings that a file's body holds.

    Raises:
        UsageError: something is wrong; names `source` and the field.
    """
    try:
        settings = OperatorSettings.model_validate(body)
    except ValidationError as error:
        first = next(problems(error, OperatorSettings, body))
        raise UsageError(f"{source}: {first}") from None
    for namespace, own in settings.namespaces.items():
        try:
            settings.for_namespace(namespace)
        except ValidationError as error:
            first = next(problems(error, Settings, own))
            raise UsageError(f"{source}: namespaces.{namespace}.{first}") from None
    return settings


def _document(file: Path) -> dict[str, object]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{file}: is not YAML ({' '.join(str(error).split())})") from None
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{file}: holds no mapping of settings")
    return found or {}


def _put(body: dict[str, object], path: tuple[str, ...], value: str) -> None:
    *outer, last = path
    for name in outer:
        inner = body.setdefault(name, {})
        assert isinstance(inner, dict), "sections are mappings"
        body = inner
    body[last] = value


def _with_authority(settings: OperatorSettings) -> OperatorSettings:
    """`settings` in which runs are told whom to trust: the file's content, not its name."""
    ca = settings.status_server.ca
    if not ca or settings.defaults.status_ca:
        return settings
    try:
        text = Path(ca).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"statusServer.ca: {ca} cannot be read ({error})") from None
    defaults = settings.defaults.model_copy(update={"status_ca": text})
    return settings.model_copy(update={"defaults": defaults})
