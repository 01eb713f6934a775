"""Writes docs/reference/failures.md: every way to fail, out of the table that the operator goes by."""

from trainjobs.core.failures import TABLE, Budget

COUNTS = {
    Budget.NONE: "no",
    Budget.RESTARTS: "`maxRestarts` times",
    Budget.INFRASTRUCTURE: "`maxInfrastructureRestarts` times",
}
HEAD = """<!-- Generated from trainjobs.core.failures by `make generate`; do not edit. -->
# Failure reasons

`status.failure.reason` of a run is one of these, and so are the reasons of its restarts. Exit codes are the
agent's, and those of `trainjobs run`; where there is none, only the operator can see it.
[Troubleshooting](../troubleshooting.md) says more.

| reason | exit code | tried again | advice |
|---|---|---|---|
"""


def main() -> None:
    """Print the page."""
    rows = [
        f"| [{one.reason}](../troubleshooting.md#{one.reason.lower()}) "
        f"| {'' if one.exit_code is None else one.exit_code} | {COUNTS[one.budget]} | {one.advice} |\n"
        for one in TABLE.values()
    ]
    print(HEAD + "".join(rows), end="")


if __name__ == "__main__":
    main()
