"""A manifest's `file://` URIs, made those of absolute, normal paths, seen from the manifest's folder."""

from pathlib import Path

from trainjobs.api.runs import Run
from trainjobs.api.sources import Source, with_uris
from trainjobs.core.uris import file_uri
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
