"""The operator's command line: `python -m trainjobs.controller`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from trainjobs.controller.depth import read_as_deep_as_api_servers
from trainjobs.controller.logs import set_up_logging
from trainjobs.controller.program import Program
from trainjobs.controller.settings import OperatorSettings, load_settings
from trainjobs.errors import TrainjobsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; its exit code."""
    given = _parser().parse_args(arguments)
    flags: dict[str, object] = {
        "kubeconfig": given.kubeconfig,
        "namespace": given.namespace,
        "logFormat": given.log_format,
    }
    try:
        settings = load_settings(given.settings, dict(os.environ), flags)
        set_up_logging(settings.log_format)
        use_kubeconfig(settings)
        read_as_deep_as_api_servers()
        return asyncio.run(Program(settings).run())
    except TrainjobsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def use_kubeconfig(settings: OperatorSettings) -> None:
    """Let kopf, which takes it from the environment only, use the same way to the cluster."""
    if settings.kubeconfig is not None:
        os.environ["KUBECONFIG"] = settings.kubeconfig


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainjobs.controller",
        description="The trainjobs operator: brings training runs forward on Kubernetes.",
        allow_abbrev=False,
    )
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file with the settings")
    parser.add_argument("--kubeconfig", metavar="FILE", help="way to the cluster; default: the pod's own")
    parser.add_argument("--namespace", metavar="NAME", help="the operator's own namespace")
    parser.add_argument("--log-format", choices=("plain", "json"), help="log lines for people or machines")
    return parser
