"""`make cluster-up` and `make cluster-down`: a cluster for trial, which runs until it is taken down."""

import argparse
import sys
import time

from tests.cluster.harness import provider


def main() -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.harness", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "build", "provider"])
    command = parser.parse_args().command
    try:
        if command == "down":
            provider.stop()
        elif command == "build":
            provider.build()
        elif command == "provider":
            print(provider.chosen())
        if command != "up":
            return 0
        started = time.monotonic()
        cluster = provider.start()
    except (RuntimeError, TimeoutError) as error:
        print(f"cluster-{command}: {error}", file=sys.stderr)
        return 1
    print(f"ready in {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(f"# Use it from a shell with these lines; `make cluster-down` ends it.\n{cluster.description()}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
