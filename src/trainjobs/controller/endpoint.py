"""The leader as the one endpoint of the status Service, which selects no pods by itself."""

import ipaddress
from dataclasses import dataclass

from trainjobs.core.plan.objects import Object, child, text
from trainjobs.kube.client import Kube
from trainjobs.kube.resources import ENDPOINT_SLICES


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The EndpointSlice of a Service."""

    kube: Kube
    namespace: str
    service: str

    async def point_to(self, address: str, port: int) -> None:
        """Let the Service lead to this address alone."""
        wanted = self._slice(address, port)
        there = await self.kube.find(ENDPOINT_SLICES, self.namespace, self._name)
        if there is None:
            await self.kube.create(ENDPOINT_SLICES, self.namespace, wanted)
            return
        if all(there.get(part) == wanted[part] for part in ("addressType", "endpoints", "ports")) and (
            child(there, "metadata").get("labels") == child(wanted, "metadata")["labels"]
        ):
            return
        if text(there, "addressType") != wanted["addressType"]:
            # The kind of address cannot be changed.
            uid = text(child(there, "metadata"), "uid")
            await self.kube.delete(
                ENDPOINT_SLICES, self.namespace, self._name, uid=uid, propagation="Background"
            )
            await self.kube.create(ENDPOINT_SLICES, self.namespace, wanted)
            return
        version = child(there, "metadata")["resourceVersion"]
        metadata = {**child(wanted, "metadata"), "resourceVersion": version}
        await self.kube.replace(ENDPOINT_SLICES, self.namespace, {**wanted, "metadata": metadata})

    @property
    def _name(self) -> str:
        return f"{self.service}-leader"

    def _slice(self, address: str, port: int) -> Object:
        return {
            "apiVersion": ENDPOINT_SLICES.api_version,
            "kind": ENDPOINT_SLICES.kind,
            "metadata": {
                "name": self._name,
                "namespace": self.namespace,
                "labels": {
                    "kubernetes.io/service-name": self.service,
                    "endpointslice.kubernetes.io/managed-by": "trainjobs.dev",
                },
            },
            "addressType": f"IPv{ipaddress.ip_address(address).version}",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "status", "protocol": "TCP", "port": port}],
        }
