"""Which checkpoint an attempt resumes from."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from trainjobs.core.checkpoints.finding import Finding
from trainjobs.core.checkpoints.layout import CheckpointRef
from trainjobs.core.checkpoints.resumption import ExternalCheckpoint, ResumePoint
from trainjobs.errors import InvalidRecipe


class Resume(StrEnum):
    """The two policies that need no URI."""

    AUTO = "Auto"
    NEVER = "Never"


@dataclass(frozen=True, slots=True)
class ResumeFrom:
    """Start from this checkpoint, of whichever run, until the run has one of its own."""

    uri: str


ResumePolicy = Resume | ResumeFrom


def parse_resume(text: str) -> ResumePolicy:
    """Read `spec.checkpoints.resume`: `Auto`, `Never`, or the URI of a checkpoint.

    Raises:
        InvalidRecipe: it is none of the three.
    """
    if text in (Resume.AUTO, Resume.NEVER):
        return Resume(text)
    if "://" not in text:
        raise InvalidRecipe(
            f"spec.checkpoints.resume: {text!r:.200} is neither Auto, Never nor the URI of a checkpoint"
        )
    return ResumeFrom(text)


def candidates(
    policy: ResumePolicy, own: Collection[CheckpointRef], findings: Iterable[Finding] = ()
) -> tuple[ResumePoint, ...]:
    """Return what the next attempt may resume from, in the order to try; None is step 0.

    `own` are the run's own checkpoints that count. The newest step comes first; of two attempts that
    reached the same step, the newer. A URI is where the first attempt starts: once the run has a
    checkpoint of its own, a restart goes on from that instead of losing it. Neither the URI nor step
    0 is there to be taken when a checkpoint cannot be read.

    What nodes of earlier attempts could not read comes after what nobody complained of, the least often
    found damaged first: another machine may read it, but not before an older one is tried.
    """
    if policy is Resume.NEVER:
        return (None,)
    if own:
        complained = {ref: {one.attempt for one in findings if one.checkpoint == ref} for ref in own}
        return tuple(sorted(sorted(own, reverse=True), key=lambda ref: len(complained[ref])))
    return (ExternalCheckpoint(policy.uri),) if isinstance(policy, ResumeFrom) else (None,)
