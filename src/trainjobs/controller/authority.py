"""Whom agents trust: the status server's authority, read again when it is rotated, old and new together."""

import asyncio
import logging
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from trainjobs.api import labels
from trainjobs.controller.settings import OperatorSettings
from trainjobs.core.plan.objects import Object, child, text
from trainjobs.kube.client import Kube
from trainjobs.kube.errors import KubeError, LeaseLost
from trainjobs.kube.resources import PODS

_log = logging.getLogger(__name__)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ANNOTATION = f"/metadata/annotations/{labels.STATUS_CA.replace('/', '~1')}"


class Authority:
    """The certificates that are handed to agents."""

    def __init__(self, settings: OperatorSettings) -> None:
        self._file = settings.status_server.ca
        self._read = self.pem = settings.defaults.status_ca

    def look(self) -> bool:
        """Read the file again; whether it holds another authority than at the last look.

        What was trusted stays so: the server shows its old certificate for a while, and agents have to take
        either. A file that cannot be used changes nothing.
        """
        if not self._file:
            return False
        try:
            found = Path(self._file).read_text(encoding="ascii")
            ssl.create_default_context(cadata=found)
        except (OSError, ValueError) as error:
            _log.warning("the old authority is kept, %s cannot be used: %s", self._file, error)
            return False
        if found == self._read:
            return False
        self._read, self.pem = found, together(found, self.pem)
        return True


def together(*bundles: str) -> str:
    """The certificates of several bundles, each once."""
    found = dict.fromkeys(one for bundle in bundles for one in _CERTIFICATE.findall(bundle))
    return "".join(f"{one}\n" for one in found)


async def hand_over(kube: Kube, namespaces: Sequence[str], pem: str) -> int:
    """Give these certificates to every pod of a run that lacks one; how many did.

    An agent reads them from a file that the kubelet makes of an annotation, and anew when that changes.
    """
    changed = 0
    places: Sequence[str | None] = namespaces or (None,)
    for place in places:
        ours = f"{labels.MANAGED_BY}=trainjobs,{labels.RUN_UID}"
        for pod in await kube.list_all(PODS, place, labels=ours, part="Metadata"):
            changed += await _hand_to(kube, pod, pem)
    return changed


async def _hand_to(kube: Kube, pod: Object, pem: str) -> bool:
    meta = child(pod, "metadata")
    held = text(child(meta, "annotations"), labels.STATUS_CA)
    lacks = {*_CERTIFICATE.findall(pem)} - {*_CERTIFICATE.findall(held)}
    if not held or not lacks or "deletionTimestamp" in meta:
        return False
    name, namespace = text(meta, "name"), text(meta, "namespace")
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": text(meta, "uid")},
        {"op": "replace", "path": _ANNOTATION, "value": together(pem, held)},
    ]
    try:
        await kube.patch(PODS, namespace, name, patch)
    except LeaseLost:
        raise
    except KubeError as error:
        _log.warning("the agent of %s/%s does not hear of the new authority yet: %s", namespace, name, error)
        return False
    return True


async def keep_trusted(kube: Kube, settings: OperatorSettings, authority: Authority) -> None:
    """See to it that agents trust the server: at once when the authority is rotated, and now and then.

    A pod may be made of an older job, which holds what was trusted when it was made.
    """
    due = 0.0
    while True:
        if authority.look():
            _log.warning("the authority of the status server is another one: agents get it beside the old")
            due = 0.0
        if authority.pem and monotonic() >= due:
            try:
                if count := await hand_over(kube, settings.watch_namespaces, authority.pem):
                    _log.info("%d agents were given the authority of the status server", count)
                due = monotonic() + settings.resync_seconds
            except LeaseLost:
                return
            except KubeError as error:
                _log.warning("agents do not hear of the authority yet: %s", error)
        await asyncio.sleep(settings.status_server.reload_seconds)
