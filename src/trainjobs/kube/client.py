"""Requests to a Kubernetes API server, over the official asynchronous client's connection and credentials."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.api_client import RequestSerialized
from kubernetes.aio.config.config_exception import ConfigException

from trainjobs.core.plan.objects import Object
from trainjobs.errors import UsageError
from trainjobs.kube.errors import NotFound, Unreachable, error_of
from trainjobs.kube.resources import Resource

REQUEST_TIMEOUT: Final = 20.0
PAGE: Final = 500
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Propagation = Literal["Background", "Foreground"]
Patch = Sequence[Mapping[str, Any]]
"""A JSON patch: its operations."""


class Guard(Protocol):
    """Is asked before every write."""

    def __call__(self) -> float:
        """Seconds that the write may take; raise `LeaseLost` where nothing may be written."""


def unguarded() -> float:
    """For who writes without being the leader: the elector itself, and an operator that is alone."""
    return math.inf


class Kube:
    """The verbs; each raises the errors of `kube.errors`."""

    def __init__(
        self, api: ApiClient, *, guard: Guard = unguarded, request_timeout: float = REQUEST_TIMEOUT
    ) -> None:
        self._api = api
        self._guard = guard
        self._timeout = request_timeout

    async def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Read one object."""
        return await self._json("GET", resource.path(namespace, name))

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """Read one object, or None where there is none."""
        try:
            return await self.get(resource, namespace, name)
        except NotFound:
            return None

    async def list_all(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        labels: str = "",
        fields: str = "",
        part: Literal["Whole", "Metadata"] = "Whole",
    ) -> list[Object]:
        """Read all objects of a namespace, or (None) of the cluster, page by page.

        Args:
            resource: what to list.
            namespace: where.
            labels: a label selector.
            fields: a field selector.
            part: `Metadata` leaves out what is in the objects.
        """
        headers = {"Accept": _METADATA_ONLY} if part == "Metadata" else {}
        query = [("limit", str(PAGE))]
        if labels:
            query.append(("labelSelector", labels))
        if fields:
            query.append(("fieldSelector", fields))
        found: list[Object] = []
        more = ""
        while True:
            page = await self._json(
                "GET",
                resource.path(namespace),
                [*query, *([("continue", more)] if more else [])],
                headers=headers,
            )
            items = page.get("items")
            found += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
            metadata = page.get("metadata")
            more = str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""
            if not more:
                return found

    async def serves(self, resource: Resource, namespace: str | None) -> bool:
        """Whether the cluster knows this kind of object."""
        try:
            await self._json("GET", resource.path(namespace), [("limit", "1")])
        except NotFound:
            return False
        return True

    async def create(
        self, resource: Resource, namespace: str, body: Object, *, mode: Literal["Real", "DryRun"] = "Real"
    ) -> Object:
        """Create one object; fields that its kind does not know are refused."""
        query = [("fieldValidation", "Strict"), *([("dryRun", "All")] if mode == "DryRun" else [])]
        return await self._write("POST", resource.path(namespace), query, body=body)

    async def replace(self, resource: Resource, namespace: str, body: Object) -> Object:
        """Replace one object by `body`, which carries the resource version that was read."""
        metadata = body["metadata"]
        assert isinstance(metadata, dict), "objects have metadata"
        path = resource.path(namespace, str(metadata["name"]))
        return await self._write("PUT", path, [("fieldValidation", "Strict")], body=body)

    async def patch(
        self, resource: Resource, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> Object:
        """Change one object by a JSON patch; `replacing` makes one that an outdated reader cannot apply."""
        path = resource.path(namespace, name, subresource)
        headers = {"Content-Type": "application/json-patch+json"}
        query = [("fieldValidation", "Strict")]
        return await self._write("PATCH", path, query, body=list(patch), headers=headers)

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str, propagation: Propagation
    ) -> None:
        """Delete one object, if it is this very one.

        Raises:
            Conflict: another object has the name.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": propagation,
        }
        await self._write("DELETE", resource.path(namespace, name), [], body=body)

    async def read(self, path: str) -> Object:
        """Read a document of the API server that is not an object, such as its keys for tokens."""
        # The keys have a media type of their own, and are refused to who accepts plain JSON only.
        return await self._json("GET", path, headers={"Accept": "*/*"})

    async def stream(
        self, path: str, query: Sequence[tuple[str, str]], *, endless: bool
    ) -> AsyncIterator[bytes]:
        """Read what is no object, such as a pod's log, piece by piece as it comes.

        Args:
            path: where.
            query: of the address.
            endless: whether nothing may come for as long as it likes.
        """
        what = f"GET {path}"
        waits = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeout, sock_read=None if endless else self._timeout
        )
        try:
            request = await self._request("GET", path, list(query), None, {"Accept": "*/*"})
            answer = await self._api.call_api(*request, _request_timeout=waits)
            async with answer.response:
                if not 200 <= answer.status <= 299:
                    raise error_of(answer.status, await answer.response.read(), what)
                async for piece in answer.response.content.iter_any():
                    yield piece
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{what}: {type(error).__name__} {error}".rstrip()) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def _write(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        *,
        body: object,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        timeout = min(self._guard(), self._timeout)
        return await self._json(method, path, query, body=body, headers=headers, timeout=timeout)

    async def _json(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Object:
        what = f"{method} {path}"
        try:
            async with asyncio.timeout(timeout or self._timeout):
                status, data = await self._send(method, path, list(query), body, dict(headers or {}))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{what}: {type(error).__name__} {error}".rstrip()) from error
        if not 200 <= status <= 299:
            raise error_of(status, data, what)
        try:
            answer = json.loads(data)
        except ValueError as error:
            raise Unreachable(f"{what}: the answer is not JSON") from error
        assert isinstance(answer, dict), "API servers answer with objects"
        return answer

    async def _send(
        self, method: str, path: str, query: list[tuple[str, str]], body: object, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        request = await self._request(method, path, query, body, headers)
        response = await self._api.call_api(*request, _request_timeout=self._timeout)
        return response.status, await response.read()  # type: ignore[no-untyped-call]

    async def _request(
        self, method: str, path: str, query: list[tuple[str, str]], body: object, headers: dict[str, str]
    ) -> RequestSerialized:
        return await self._api.param_serialize(
            method=method,
            resource_path=path,
            query_params=query,
            header_params={"Accept": "application/json", "Content-Type": "application/json", **headers},
            body=body,
            auth_settings=["BearerToken"],
        )


def replacing(resource_version: str, path: str, value: object) -> list[dict[str, object]]:
    """A JSON patch that sets `path` to `value` as a whole, if the object is still the one that was read."""
    return [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": path, "value": value},
    ]


async def connect(kubeconfig: str | None) -> ApiClient:
    """Connect with a kubeconfig, or (None) with the credentials of the pod this runs in.

    Raises:
        UsageError: there are none that can be used.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, client_configuration=configuration
            )
    except ConfigException as error:
        raise UsageError(
            f"no access to a cluster: {error}; give --kubeconfig FILE, or run in a pod"
        ) from error
    return ApiClient(configuration=configuration)
