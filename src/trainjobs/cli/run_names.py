"""How a run in a cluster is named: as kubectl does, `rewardmodelrun/ratings` in a namespace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainjobs.api.labels import GROUP
from trainjobs.api.runs import KINDS
from trainjobs.errors import UsageError

_KINDS: Final = {
    word: kind.__name__ for kind in KINDS for word in (kind.__name__.lower(), kind.plural, kind.short_name)
}


@dataclass(frozen=True, slots=True)
class Access:
    """How a cluster is reached; None for what kubectl would take."""

    namespace: str | None
    kubeconfig: Path | None
    context: str | None

    @property
    def is_given(self) -> bool:
        """Whether any of it was said: a cluster is meant, then."""
        return (self.namespace, self.kubeconfig, self.context) != (None, None, None)


@dataclass(frozen=True, slots=True)
class RunName:
    """One run of a cluster's namespace."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def run_name(target: str, *, in_cluster: bool) -> RunName | None:
    """The run of a cluster that `target` names as kubectl does, or None where it names a place.

    Args:
        target: what was given; `rmrun/ratings` and `rewardmodelrun.trainjobs.dev/ratings` will do.
        in_cluster: whether a cluster is meant in any case; else a folder that is here goes before.

    Raises:
        UsageError: a cluster is meant, and no run of one is named.
    """
    kind, _, name = target.partition("/")
    found = _KINDS.get(kind.lower().removesuffix(f".{GROUP}"))
    if found is not None and name and "/" not in name and (in_cluster or not Path(target).exists()):
        return RunName(found, name)
    if in_cluster:
        raise UsageError(
            f"{target}: -n, --kubeconfig and --context go with a run of a cluster; "
            f"name it as {next(iter(_KINDS))}/NAME"
        )
    return None
