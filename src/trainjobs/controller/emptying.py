"""Deletes a run's folder in storage: `python -m trainjobs.controller.emptying URI`, in the clean-up Job."""

import sys
from pathlib import Path

from trainjobs.agent.places import volume_uri
from trainjobs.core.checkpoints.layout import ARTIFACTS, ATTEMPTS, CHECKPOINTS, LOGS, MANIFEST
from trainjobs.core.plan.sources import CLAIMS
from trainjobs.errors import TrainjobsError
from trainjobs.printing import survive
from trainjobs.storage.opening import open_store
from trainjobs.storage.store import Store


def empty(store: Store) -> int:
    """Delete everything in the folder; the number of objects.

    Manifests first: what has none does not exist, should this be interrupted.
    """
    keys = [one.key for one in store.list()]
    store.delete([key for key in keys if key.rpartition("/")[2] == MANIFEST])
    store.delete(keys)
    # What is half-written in a folder is in no list.
    for folder in (ATTEMPTS, CHECKPOINTS, ARTIFACTS, LOGS):
        store.delete_folder(folder)
    return len(keys)


def main(arguments: list[str]) -> int:
    """Run the program; its exit code."""
    if len(arguments) != 1:
        print("error: give the URI of a run's folder", file=sys.stderr)
        return 2
    uri = arguments[0]
    try:
        count = empty(open_store(volume_uri(uri, Path(CLAIMS))))
    except TrainjobsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{uri}: {count} objects deleted")
    return 0


if __name__ == "__main__":
    survive()
    sys.exit(main(sys.argv[1:]))
