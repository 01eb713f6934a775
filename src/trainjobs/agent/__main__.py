"""`python -m trainjobs.agent`."""

import os
import sys

from trainjobs.agent.stop import StopRequests

if __name__ == "__main__":
    stop = StopRequests()
    # Before the imports, which take seconds on a busy machine: a signal that process 1 of a container has no
    # handler for is as if it had never been sent. And to the very end, so that the exit code is ours.
    stop.listen()
    from trainjobs.agent.main import main
    from trainjobs.printing import survive

    survive()
    code = main(sys.argv[1:], stop)
    sys.stdout.flush()
    sys.stderr.flush()
    # A transfer that is under way must not keep a program that was asked to stop: everything that
    # storage counts as there was finished before.
    os._exit(code)
