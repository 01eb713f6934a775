"""Writes what every example and golden manifest renders to: `python -m tests.golden.generate FOLDER`."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from trainjobs.api import labels
from trainjobs.api.manifest import read
from trainjobs.api.runs import BY_KIND, Run
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.plan.neutral import make_plan
from trainjobs.core.plan.render import rendering, with_assumed_models
from trainjobs.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = ROOT / "tests" / "golden" / "expected"
UID = "1a2b3c4d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"
PLATFORM = Settings(
    storage_uri="s3://platform-storage/runs",
    storage_endpoint="https://storage.example:9000",
    storage_region="eu-west-1",
    storage_secret_name="storage-keys",
    storage_ca_config_map_name="storage-ca",
    image="trainjobs-trainer:0.1.0",
    status_url="https://trainjobs-status.trainjobs.svc:8443",
    status_ca="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    service_accounts=["trainer"],
    grace_seconds=60,
)

# What a cluster of its own kind gives: proxies, a pool of its own, devices that every node gets.
TEMPLATED = PLATFORM.model_copy(
    update={
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        "pod_templates": [
            {
                "metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "rdma"}},
                "spec": {
                    "priorityClassName": "training",
                    "nodeSelector": {"pool": "training"},
                    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                    "containers": [
                        {"name": "pytorch", "resources": {"limits": {"nvidia.com/mig-3g.40gb": 1}}}
                    ],
                },
            }
        ],
    }
)
SETTINGS = {"platform-template": TEMPLATED}


def manifests() -> dict[str, Path]:
    """Name of the expected file → manifest: every example, and the manifests made for this."""
    examples = {
        "-".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in sorted((ROOT / "examples").rglob("*.yaml"))
        if any(kind in path.read_text(encoding="utf-8") for kind in (f"kind: {name}" for name in BY_KIND))
    }
    own = {path.stem: path for path in sorted((ROOT / "tests" / "golden" / "manifests").glob("*.yaml"))}
    return {**examples, **own}


def runs(manifest: Path) -> list[Run]:
    """The runs of a manifest, as the API server would hand them out."""
    return [
        run.model_copy(update={"metadata": run.metadata.model_copy(update={"uid": UID})})
        for run in read(manifest.read_text(encoding="utf-8"), str(manifest.relative_to(ROOT)))
    ]


def expected(manifest: Path) -> str:
    """What stands in the expected file: the objects, the recipe in readable form, and every refusal."""
    parts = []
    for run in runs(manifest):
        start = StartAttempt(attempt=1, halve_batch=0, queued=run.spec.run_policy.queue_name is not None)
        settings = SETTINGS.get(manifest.stem, PLATFORM)
        found = rendering(make_plan(with_assumed_models(run), start, settings))
        refused = "".join(f"# Refused: {violation}\n" for violation in found.violations)
        documents = [_readable(one) for one in found.objects]
        parts.append(refused + yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True, width=100))
    return "---\n".join(parts)


def _readable(value: Any) -> Any:
    """The recipe's JSON spelled out, so that a change of it can be read in a diff."""
    if isinstance(value, dict):
        return {
            key: json.loads(inner) if key == labels.RECIPE else _readable(inner)
            for key, inner in value.items()
        }
    return [_readable(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in manifests().items():
        (folder / f"{name}.yaml").write_text(expected(path), encoding="utf-8")
