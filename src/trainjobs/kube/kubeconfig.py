"""A person's way to a cluster: the kubeconfig that kubectl reads."""

import os
from pathlib import Path
from typing import Final

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.config_exception import ConfigException

from trainjobs.errors import UsageError
from trainjobs.kube.client import connect

_USUAL: Final = "~/.kube/config"
_OTHERWISE: Final = "give --kubeconfig FILE and --context NAME that kubectl works with"


async def connect_person(file: str | None, context: str | None) -> tuple[ApiClient, str]:
    """Connect as kubectl would; the connection, and the namespace that is meant where none is named.

    Args:
        file: the kubeconfig; None for KUBECONFIG, `~/.kube/config`, or the credentials of the pod that this
            runs in.
        context: which of its contexts; None for the current one.

    Raises:
        UsageError: there is none that can be used.
    """
    paths = file or os.environ.get("KUBECONFIG") or _USUAL
    if not any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        if file is None and context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            return await connect(None), "default"
        raise UsageError(f"no access to a cluster: there is no kubeconfig {paths}; {_OTHERWISE}")
    configuration = Configuration()
    try:
        loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=paths, context=context, client_configuration=configuration, persist_config=False
        )
        namespace = loader.current_context["context"].get("namespace")
    except ConfigException as error:
        raise UsageError(f"no access to a cluster: {_line(error)}; {_OTHERWISE}") from None
    except (yaml.YAMLError, OSError, LookupError, TypeError, AttributeError, ValueError) as error:
        # The library walks through what it reads as if it were right.
        raise UsageError(f"{paths}: is no kubeconfig ({_line(error)}); {_OTHERWISE}") from None
    return ApiClient(configuration=configuration), str(namespace or "default")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
