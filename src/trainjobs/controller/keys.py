"""What the operator works on: one run, named as Kubernetes names it."""

from typing import NamedTuple


class RunKey(NamedTuple):
    """A run's kind, namespace and name; a run made again under the same name has the same key."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"
