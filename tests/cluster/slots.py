"""A resource of which one machine has as many as a test says: who asks for one waits until one is left."""

import json

from tests.cluster.bench import Bench


def slots(bench: Bench, resource: str, count: int) -> None:
    """Give one machine so many of a resource that no other has; kubelets leave it alone."""
    path = f"/status/capacity/{resource.replace('/', '~1')}"
    change = {"op": "add", "path": path, "value": str(count)} if count else {"op": "remove", "path": path}
    node = bench.cluster.ready_nodes()[-1]
    patch = json.dumps([change])
    bench.cluster.kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", patch)
