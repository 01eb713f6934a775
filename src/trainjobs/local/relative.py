"""A manifest's `file://` URIs, made those of absolute, normal paths, seen from the manifest's folder."""

import os
from pathlib import Path

from trainjobs.api.runs import Run
from trainjobs.api.sources import Source, with_uris
from trainjobs.core.uris import file_path, file_uri
from trainjobs.local.paths import path_here


def with_absolute_paths(run: Run, manifest: Path) -> Run:
    """Return `run`, which stands in the file `manifest`, with every file it names by its path from the root.

    Raises:
        InvalidRecipe: a name on the way is not UTF-8.
    """

    def absolute(source: Source) -> str:
        path = path_here(source.uri, manifest.parent)
        return source.uri if path is None else file_uri(path)

    return run.model_copy(update={"spec": with_uris(run.spec, "spec", absolute)})


def without_links(run: Run) -> Run:
    """Return `run`, whose paths are absolute, with every file by the one path that links to it lead to."""

    def real(source: Source) -> str:
        path = file_path(source.uri)
        return source.uri if path is None else file_uri(Path(os.path.realpath(path)))

    return run.model_copy(update={"spec": with_uris(run.spec, "spec", real)})
