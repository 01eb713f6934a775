"""Who may speak to the pods of a run.

The rendezvous of training processes has no authentication: whoever reaches it can join or stop the run.
So only pods of the same run may come in, and anyone in the cluster to the port that serves metrics.

What goes out is left alone: a run's storage, trackers and model hubs may be anywhere, also in the cluster,
and a policy for outgoing traffic that allows them all would open what a platform's own policy closes
(policies add up). A namespace that closes outgoing traffic has to open DNS, storage, the status server and
the pods of the run.

One policy serves all attempts of a run; it goes with the run.
"""

from trainjobs.api import labels
from trainjobs.api.runs import Run
from trainjobs.core.plan.environment import METRICS_PORT
from trainjobs.core.plan.neutral import base_name
from trainjobs.core.plan.objects import Object
from trainjobs.core.plan.pod import owner_labels, owner_references


def network_policy(run: Run) -> Object:
    """The NetworkPolicy of a run."""
    own_pods: Object = {"matchLabels": {labels.RUN_UID: run.metadata.uid}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": base_name(run),
            "namespace": run.metadata.namespace,
            "labels": owner_labels(run),
            "ownerReferences": owner_references(run),
        },
        "spec": {
            "podSelector": own_pods,
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": own_pods}]},
                {
                    "from": [{"namespaceSelector": {}}],
                    "ports": [{"protocol": "TCP", "port": METRICS_PORT}],
                },
            ],
        },
    }
