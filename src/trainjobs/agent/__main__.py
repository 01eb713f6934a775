"""`python -m trainjobs.agent`."""

import os
import sys

from trainjobs.agent.main import main
from trainjobs.printing import survive

if __name__ == "__main__":
    survive()
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # A transfer that is under way must not keep a program that was asked to stop: everything that
    # storage counts as there was finished before.
    os._exit(code)
