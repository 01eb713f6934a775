"""The environment of a node: what its agent is told, and keys by reference."""

from dataclasses import dataclass

from pydantic import JsonValue

from trainjobs.api.checkpoints import Storage
from trainjobs.api.status import StorageStatus
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object

WORKSPACE = "/workspace"
CACHE = "/cache"
ATTACHED = "/etc/trainjobs"
STORAGE_CA = "/etc/trainjobs-storage-ca"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
KEYS_FOLDER = "storage-keys"
"""Below `ATTACHED`: the keys as files, which change with their Secret; variables do not."""
SILENT = (
    "TRAINJOBS_CACHE",
    "TRAINJOBS_CONFIGMAP_ROOT",
    "TRAINJOBS_HEARTBEAT_SECONDS",
    "TRAINJOBS_PVC_ROOT",
    "TRAINJOBS_PY_SPY",
    "TRAINJOBS_S3_ADDRESSING",
    "TRAINJOBS_STATUS_CA",
    "TRAINJOBS_STATUS_TOKEN",
    "TRAINJOBS_STATUS_URL",
    "TRAINJOBS_STORAGE_KEYS",
    "TRAINJOBS_STORAGE_SECONDS",
    "TRAINJOBS_TERMINATION_LOG",
)
"""What an agent reads and a plan may say nothing of: empty then, which counts as unset.

Kubernetes lets `env` win over `envFrom`, and over the variables that it makes of Services: of what is said
here, no Secret that happens to have such a key says anything else.
"""
MASTER_PORT = 23456
METRICS_PORT = 9464


@dataclass(frozen=True, slots=True)
class Backend:
    """What the pods of one kind of job know of their place in it."""

    rank_label: str
    """Pod label that holds the node's rank."""
    first_node: str
    """Host name of node 0."""


def environment(plan: Plan, backend: Backend) -> list[JsonValue]:
    """Environment of the container; what the manifest gives goes last, and wins."""
    given = given_environment(plan)
    names = {one["name"] for one in given}
    if names & set(KEYS):
        # Keys that the manifest gives are given for good.
        names.add("TRAINJOBS_STORAGE_KEYS")
    storage = storage_environment(plan.recipe.checkpoints.storage)
    planned = [*_agent(plan, backend), *storage, plain("HOME", WORKSPACE)]
    found = [*(one for one in planned if one["name"] not in names), *given]
    said = {one["name"] for one in found}
    return [*found, *(plain(name, "") for name in SILENT if name not in said)]


def given_environment(plan: Plan) -> list[Object]:
    """What the manifest gives: each name once, the last one counts."""
    given = {one.name: one.value for one in plan.run.spec.runtime.env}
    return [plain(name, value) for name, value in given.items()]


def secret_environment(plan: Plan) -> list[JsonValue]:
    """Secrets whose keys become variables: those of the trackers."""
    names = dict.fromkeys(one.secret_name for one in plan.recipe.tracking.trackers if one.secret_name)
    return [{"secretRef": {"name": name}} for name in names]


def _agent(plan: Plan, backend: Backend) -> list[Object]:
    settings = plan.settings
    variables = [
        plain("TRAINJOBS_RECIPE", f"{ATTACHED}/recipe.json"),
        plain("TRAINJOBS_ATTEMPT", str(plan.attempt)),
        # A job's UID is not known before it is made; its name is never used twice.
        plain("TRAINJOBS_JOB_UID", plan.job_name),
        _field("TRAINJOBS_POD_UID", "metadata.uid"),
        _field("TRAINJOBS_NODE_RANK", f"metadata.labels['{backend.rank_label}']"),
        plain("TRAINJOBS_MASTER_ADDRESS", backend.first_node),
        plain("TRAINJOBS_MASTER_PORT", str(MASTER_PORT)),
        plain("TRAINJOBS_WORKSPACE", WORKSPACE),
        plain("TRAINJOBS_LOG_FORMAT", "json"),
        plain("TRAINJOBS_METRICS_HOST", "0.0.0.0"),  # noqa: S104
        plain("TRAINJOBS_METRICS_PORT", str(METRICS_PORT)),
    ]
    if plan.run.spec.workspace.cache_claim_name:
        variables.append(plain("TRAINJOBS_CACHE", CACHE))
        variables.append(plain("HF_HOME", f"{CACHE}/huggingface"))
    if settings.status_url:
        variables.append(plain("TRAINJOBS_STATUS_URL", settings.status_url))
        variables.append(plain("TRAINJOBS_STATUS_TOKEN", f"{ATTACHED}/token"))
    if settings.status_url and settings.status_ca:
        variables.append(plain("TRAINJOBS_STATUS_CA", f"{ATTACHED}/status-ca.crt"))
    return variables


def storage_environment(storage: Storage | StorageStatus) -> list[Object]:
    """How a storage is reached, and its keys by reference."""
    variables = []
    if storage.endpoint:
        variables.append(plain("AWS_ENDPOINT_URL_S3", storage.endpoint))
    if storage.region:
        variables.append(plain("AWS_REGION", storage.region))
    if storage.ca_config_map_name:
        variables.append(plain("AWS_CA_BUNDLE", f"{STORAGE_CA}/ca.crt"))
    if storage.secret_name:
        variables += [
            plain("TRAINJOBS_STORAGE_KEYS", f"{ATTACHED}/{KEYS_FOLDER}"),
            _secret("AWS_ACCESS_KEY_ID", storage.secret_name, optional=False),
            _secret("AWS_SECRET_ACCESS_KEY", storage.secret_name, optional=False),
            _secret("AWS_SESSION_TOKEN", storage.secret_name, optional=True),
        ]
    return variables


def plain(name: str, value: str) -> Object:
    """A variable whose value means itself, as on one machine: Kubernetes would expand $(NAME)."""
    return {"name": name, "value": value.replace("$", "$$")}


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _secret(name: str, secret: str, *, optional: bool) -> Object:
    reference: Object = {"name": secret, "key": name}
    if optional:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
