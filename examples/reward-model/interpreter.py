"""Says in one line that a script was started with an interpreter that cannot run it.

Scripts import this first: it runs on any Python 3, before anything that needs trainjobs or a newer Python.
"""

import os
import sys


def need(*packages):
    """End this program, with one line that says what to do, unless the interpreter has all it needs."""
    missing = [package for package in ("trainjobs", *packages) if not _has(package)]
    if sys.version_info[:2] < (3, 11):  # noqa: UP036  it may be started with any
        problem = "is Python {}.{}, and trainjobs needs 3.11 or newer".format(*sys.version_info[:2])
    elif missing:
        problem = "has no " + missing[0]
    else:
        return
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    script = os.path.basename(sys.argv[0])
    here = os.path.relpath(os.path.join(top, ".venv", "bin", "python"))
    words = "error: {}: {} {}; run make install in {}, and start it with {}\n"
    sys.stderr.write(words.format(script, sys.executable, problem, top, here))
    sys.exit(2)


def _has(package):
    try:
        from importlib.util import find_spec
    except ImportError:
        return False
    return find_spec(package) is not None


need()
