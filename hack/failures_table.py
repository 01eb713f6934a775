"""Writes docs/reference/failures.md: every way to fail, out of the table that the operator goes by."""

from trainjobs.api.conditions import Milestone
from trainjobs.core.failures import TABLE, Budget, FailureKind

COUNTS = {
    Budget.NONE: "no",
    Budget.RESTARTS: "`maxRestarts` times",
    Budget.INFRASTRUCTURE: "`maxInfrastructureRestarts` times",
    Budget.WAITS: "for ever",
}
AFTER = {
    Milestone.STARTED: "once a container has run: for ever",
    Milestone.PREPARED: "once model and data were fetched: for ever",
}
HEAD = """<!-- Generated from trainjobs.core.failures by `make generate`; do not edit. -->
# Failure reasons

`status.failure.reason` of a run is one of these, and so are the reasons of its restarts. Exit codes are the
agent's, and those of `trainjobs run`; where there is none, only the operator can see it.
[Troubleshooting](../troubleshooting.md) says more, and what
[is waited out](../troubleshooting.md#what-is-waited-out).

| reason | exit code | tried again | advice |
|---|---|---|---|
"""


def main() -> None:
    """Print the page."""
    rows = [
        f"| [{one.reason}](../troubleshooting.md#{one.reason.lower()}) "
        f"| {'' if one.exit_code is None else one.exit_code} | {_tried(one)} | {one.advice} |\n"
        for one in TABLE.values()
    ]
    print(HEAD + "".join(rows), end="")


def _tried(one: FailureKind) -> str:
    if one.waits_after is None:
        return COUNTS[one.budget]
    return f"{COUNTS[one.budget]}; {AFTER[one.waits_after]}"


if __name__ == "__main__":
    main()
