"""`helm test`: is this release ready for runs? Runs in a pod of the operator's image."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
# A network that enforces policies lets a pod that is seconds old through to nothing yet.
PATIENCE_SECONDS = 20.0
KINDS = {"RewardModelRun", "SFTRun", "RLHFRun", "PretrainRun"}


def get(url: str, ca: str | None = None, headers: dict[str, str] | None = None) -> bytes:
    """What a server answers to GET; a refusal of the server's own is an answer, too."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310  # the chart's own addresses
    with opener.open(request, timeout=10) as answer:
        return bytes(answer.read())


def served_kinds(group_version: str) -> set[str]:
    """The kinds that the API server serves in a group's version; none where it has no such group."""
    with open(f"{ACCOUNT}/token", encoding="ascii") as file:
        headers = {"Authorization": f"Bearer {file.read().strip()}"}
    address = f"https://kubernetes.default.svc/apis/{group_version}"
    try:
        resources = json.loads(get(address, f"{ACCOUNT}/ca.crt", headers))["resources"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return set()
        raise
    return {resource["kind"] for resource in resources}


def check_kinds() -> str:
    """The four kinds of run, and the kind of job that they become."""
    missing = KINDS - served_kinds("trainjobs.dev/v1alpha1")
    if missing:
        return f"the cluster has no {', '.join(sorted(missing))}: install with crds.install=true"
    if "PyTorchJob" not in served_kinds("kubeflow.org/v1"):
        return "the cluster has no PyTorchJob: install Kubeflow's training-operator, version 1"
    return ""


def check_operator() -> str:
    """The operator answers, and says which version it is."""
    lines = get(os.environ["METRICS_URL"]).decode().splitlines()
    if not any(line.startswith("trainjobs_build_info") for line in lines):
        return f"{os.environ['METRICS_URL']} answers, but is no operator's"
    return ""


def check_status_server() -> str:
    """A leader answers where agents report to, with a certificate that they trust, and refuses strangers."""
    url = os.environ["STATUS_URL"]
    try:
        get(url, os.environ["STATUS_CA"])
    except urllib.error.HTTPError as error:
        return "" if error.code < 500 else f"{url} answers {error.code}"
    return f"{url} answers to a request without a token"


def lasting_fault(check: Callable[[], str]) -> str:
    """What a check still finds fault with after a while; empty for nothing."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fault = check()
        except OSError as error:
            fault = str(error)
        if not fault or time.monotonic() > deadline:
            return fault
        time.sleep(1)


def main() -> int:
    """Run the checks in order; the exit code."""
    for check in (check_kinds, check_operator, check_status_server):
        fault = lasting_fault(check)
        print(f"{check.__name__}: {fault or 'ok'}", flush=True)
        if fault:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
