"""A plan → the objects to create, and what forbids creating them."""

from dataclasses import dataclass

from trainjobs.api.conditions import Reason
from trainjobs.api.runs import Run
from trainjobs.api.status import DependencyStatus
from trainjobs.core.checkpoints.layout import ArtifactRef
from trainjobs.core.decide.decision import StartAttempt
from trainjobs.core.decide.dependencies import references
from trainjobs.core.decide.observed import Refusal
from trainjobs.core.outputs import MODEL
from trainjobs.core.plan.decoding import undecodable
from trainjobs.core.plan.network_policy import network_policy
from trainjobs.core.plan.neutral import Plan, make_plan
from trainjobs.core.plan.objects import Object
from trainjobs.core.plan.platform import final_template, trusted_template
from trainjobs.core.plan.pod_group import pod_groups
from trainjobs.core.plan.policy import Violation, violations
from trainjobs.core.plan.pytorchjob import backend, pytorchjob
from trainjobs.core.plan.reach import unreachable
from trainjobs.core.recipe.support import unsupported
from trainjobs.core.settings import Settings
from trainjobs.core.uris import below
from trainjobs.errors import InvalidRecipe

ASSUMED_STORAGE = "s3://not-known-yet"


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a plan comes to on a cluster."""

    objects: tuple[Object, ...]
    """In the order to create them: the run's NetworkPolicy, before any pod can listen; the PodGroup, before
    any pod can be given a machine; then the job."""
    violations: tuple[Violation, ...]
    """Why the operator would create none of them; empty where it would."""
    template: Object
    """The PodTemplateSpec of every node, which is in the job."""


def rendering(plan: Plan) -> Rendering:
    """The objects of a plan, whether or not they are allowed, and what forbids them.

    Raises:
        InvalidRecipe: `spec.podTemplate`, or the platform's, cannot be merged.
    """
    trusted = trusted_template(plan, backend(plan))
    final = final_template(plan, trusted)
    return Rendering(
        objects=(network_policy(plan.run), *pod_groups(plan, final), pytorchjob(plan, final)),
        violations=(
            *(Violation(one.field, one.message, Reason.UNSUPPORTED) for one in unsupported(plan.run)),
            *undecodable(plan.run.spec.pod_template),
            *unreachable(plan, final),
            *violations(plan, trusted, final),
        ),
        template=final,
    )


def render(plan: Plan) -> tuple[Object, ...]:
    """The objects of a plan, in the order to create them.

    Raises:
        InvalidRecipe: something in them is not allowed; all of it stands in the message.
    """
    found = rendering(plan)
    if found.violations:
        raise InvalidRecipe("; ".join(str(one) for one in found.violations))
    return found.objects


def refusals(run: Run, settings: Settings) -> tuple[Refusal, ...]:
    """Why the operator refuses a run, as far as can be said before its dependencies are ready.

    Each is permanent: only a change of the run, or of the platform, makes it go away.
    """
    next_ = StartAttempt(attempt=1, halve_batch=run.status.batch_halvings, queued=False)
    try:
        found = rendering(make_plan(with_assumed_models(run), next_, settings)).violations
    except InvalidRecipe as error:
        return (Refusal(Reason.INVALID_SPEC, str(error), permanent=True),)
    return tuple(Refusal(one.reason, str(one), permanent=True) for one in found)


def with_assumed_models(run: Run, storage: str = ASSUMED_STORAGE) -> Run:
    """`run` as it will be when the runs that it starts from have succeeded.

    Args:
        storage: where their models are assumed to be, where it is not known.
    """
    known = {(one.kind, one.name, one.checkpoint) for one in run.status.dependencies}
    assumed = []
    for _, reference in references(run):
        if (reference.kind, reference.name, reference.checkpoint) in known:
            continue
        known.add((reference.kind, reference.name, reference.checkpoint))
        folder = f"{run.metadata.namespace}/{reference.kind}/{reference.name}"
        uri = below(storage, f"{folder}/{ArtifactRef(MODEL, 1).folder}")
        assumed.append(
            DependencyStatus(
                kind=reference.kind, name=reference.name, checkpoint=reference.checkpoint, uri=uri
            )
        )
    status = run.status.model_copy(update={"dependencies": [*run.status.dependencies, *assumed]})
    return run.model_copy(update={"status": status})
