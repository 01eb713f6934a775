"""A plan as a PyTorchJob of Kubeflow's training-operator, version 1.

Workers only, no Master and no elastic policy: then every node is alike, the job succeeds when all nodes
have, and no init container is added that a restricted namespace would refuse. Nothing is retried by the
job itself: a failed node ends the attempt, and the run's next attempt is another job.
"""

from trainjobs.api import labels
from trainjobs.core.plan.environment import Backend
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object
from trainjobs.core.plan.pod import owner_references, run_labels

API_VERSION = "kubeflow.org/v1"
KIND = "PyTorchJob"


def backend(plan: Plan) -> Backend:
    """How training-operator tells its pods apart, and names the first."""
    return Backend(
        rank_label="training.kubeflow.org/replica-index",
        first_node=f"{plan.job_name}-worker-0",
    )


def pytorchjob(plan: Plan, template: Object) -> Object:
    """The PyTorchJob of an attempt; `template` is its final PodTemplateSpec."""
    run = plan.run
    names: Object = dict(run_labels(plan))
    if run.spec.run_policy.queue_name:
        names[labels.KUEUE_QUEUE] = run.spec.run_policy.queue_name
    policy: Object = {"backoffLimit": 0, "cleanPodPolicy": "Running"}
    if plan.queued:
        policy["suspend"] = True
    workers: Object = {
        "replicas": plan.recipe.processes.nodes,
        "restartPolicy": "Never",
        "template": template,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": plan.job_name,
            "namespace": run.metadata.namespace,
            "labels": names,
            "ownerReferences": owner_references(run),
        },
        "spec": {
            "nprocPerNode": str(plan.recipe.processes.per_node),
            "runPolicy": policy,
            "pytorchReplicaSpecs": {"Worker": workers},
        },
    }
