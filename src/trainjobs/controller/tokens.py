"""Who sends a heartbeat: the pod that a projected ServiceAccount token was made for.

The tokens are checked here, against the cluster's public keys: no request to the API server for each, and no
cluster-wide right. A token outlives its pod by an hour at most; what it may do ends with what is known of
the pod.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import jwt

from trainjobs.kube.client import Kube

KEYS_PATH: Final = "/openid/v1/jwks"
ISSUER_PATH: Final = "/.well-known/openid-configuration"
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
FETCH_EVERY: Final = 10.0
"""Seconds between two looks for new keys, however many tokens name a key that nobody knows."""
LEEWAY: Final = 30.0


class BadToken(Exception):
    """The token is not one that this cluster made for this purpose, or is too old."""


@dataclass(frozen=True, slots=True)
class PodClaims:
    """The pod that a token was made for."""

    namespace: str
    name: str
    uid: str


class TokenVerifier:
    """Checks tokens; keeps the cluster's keys."""

    def __init__(self, kube: Kube, audience: str) -> None:
        self._kube = kube
        self._audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._issuer = ""
        self._fetched: float | None = None

    async def verify(self, token: str) -> PodClaims:
        """Return which pod shows this token.

        Raises:
            BadToken: it is none of this cluster, for another audience, expired, or not bound to a pod.
            KubeError: the cluster's keys cannot be had.
        """
        try:
            key = await self._key(str(jwt.get_unverified_header(token).get("kid")))
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise BadToken(str(error)) from None
        return _pod(claims)

    async def _key(self, name: str) -> jwt.PyJWK:
        if name not in self._keys and (self._fetched is None or monotonic() - self._fetched > FETCH_EVERY):
            await self._fetch()
        try:
            return self._keys[name]
        except KeyError:
            raise BadToken("signed by a key that the cluster does not know") from None

    async def _fetch(self) -> None:
        issuer = (await self._kube.read(ISSUER_PATH)).get("issuer")
        found = jwt.PyJWKSet.from_dict(await self._kube.read(KEYS_PATH))
        self._issuer = str(issuer)
        self._keys = {str(key.key_id): key for key in found.keys}
        self._fetched = monotonic()


def _pod(claims: dict[str, Any]) -> PodClaims:
    bound = claims.get("kubernetes.io")
    pod = bound.get("pod") if isinstance(bound, dict) else None
    if not isinstance(bound, dict) or not isinstance(pod, dict):
        raise BadToken("not bound to a pod")
    return PodClaims(str(bound.get("namespace", "")), str(pod.get("name", "")), str(pod.get("uid", "")))
