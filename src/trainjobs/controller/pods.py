"""Which node of which attempt of which run a pod is."""

from dataclasses import dataclass

from trainjobs.api import labels
from trainjobs.controller.events import run_of
from trainjobs.controller.observing import controller_uid, pod_state
from trainjobs.controller.runs import NodeIdentity, RunTable
from trainjobs.controller.tokens import PodClaims
from trainjobs.core.plan.objects import Object, child, children, text
from trainjobs.kube.client import Kube
from trainjobs.kube.resources import PODS, PYTORCHJOBS


@dataclass(frozen=True, slots=True)
class PodLookup:
    """Looks a pod up: in what was seen, else at the API server (after the operator's start)."""

    kube: Kube
    table: RunTable

    async def identify(self, claims: PodClaims) -> NodeIdentity | None:
        """Which node a pod is; None for one that is no run's.

        Labels alone say nothing: whoever may create a pod may write them. The pod must be controlled by a
        job, and that job by the run.
        """
        known = self.table.node(claims.uid)
        if known is not None:
            return known if known.key.namespace == claims.namespace else None
        pod = await self.kube.find(PODS, claims.namespace, claims.name)
        if pod is None or text(child(pod, "metadata"), "uid") != claims.uid:
            return None
        return await self._by_owner(pod, claims)

    async def _by_owner(self, pod: Object, claims: PodClaims) -> NodeIdentity | None:
        names = child(child(pod, "metadata"), "labels")
        key, run_uid = run_of(claims.namespace, names), text(names, labels.RUN_UID)
        owner = next(
            (one for one in children(child(pod, "metadata"), "ownerReferences") if one.get("controller")), {}
        )
        if key is None or not run_uid or text(owner, "kind") != PYTORCHJOBS.kind:
            return None
        job = await self.kube.find(PYTORCHJOBS, claims.namespace, text(owner, "name"))
        if job is None or text(child(job, "metadata"), "uid") != text(owner, "uid"):
            return None
        if controller_uid(job) != run_uid:
            return None
        state = pod_state(pod)
        return NodeIdentity(key, run_uid, state.attempt, state.node_rank)
