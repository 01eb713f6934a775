"""The PodGroup of an attempt: its pods are given machines all together, or not at all.

Every attempt has one of its own, made before its job, so that the first pod already finds it. It bears the
job's name: where training-operator is told to make PodGroups itself (`--gang-scheduler-name`), it looks for
one of that name, and goes on with this one.
"""

from typing import Final

from trainjobs.core.plan.gang import gang
from trainjobs.core.plan.neutral import Plan
from trainjobs.core.plan.objects import Object, child, text
from trainjobs.core.plan.pod import owner_references, run_labels

KIND: Final = "PodGroup"


def pod_groups(plan: Plan, template: Object) -> tuple[Object, ...]:
    """The PodGroup of an attempt, where one is asked for; `template` is its pods' final PodTemplateSpec."""
    asked, found = plan.run.spec.run_policy.gang_scheduling, gang(plan)
    if asked is None or found is None:
        return ()
    spec: Object = {"minMember": plan.recipe.processes.nodes}
    if asked.scheduler == "Volcano":
        # Coscheduling has no queues, and goes by the priority of the pods themselves.
        given: Object = {
            "queue": asked.queue,
            "priorityClassName": text(child(template, "spec"), "priorityClassName"),
        }
        spec |= {name: value for name, value in given.items() if value}
    group: Object = {
        "apiVersion": found.api_version,
        "kind": KIND,
        "metadata": {
            "name": plan.job_name,
            "namespace": plan.run.metadata.namespace,
            "labels": run_labels(plan),
            "ownerReferences": owner_references(plan.run),
        },
        "spec": spec,
    }
    return (group,)
