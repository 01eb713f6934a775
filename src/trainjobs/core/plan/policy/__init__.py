"""What a run's pod may be made of: an allowlist, checked on the final pod.

Whoever may create runs gets no more by it than the `restricted` Pod Security Standard grants, also in a
namespace that does not enforce it: fields, volumes, labels and settings that are not listed are refused.
What the operator has planned is trusted, and so is all that was merged into it before the manifest's own
part: judged is the difference. Every rule is a function over the trusted and the final pod that yields
what violates it.
"""

from trainjobs.core.plan.policy.judge import violations
from trainjobs.core.plan.policy.violation import TEMPLATE, Violation

__all__ = ["TEMPLATE", "Violation", "violations"]
