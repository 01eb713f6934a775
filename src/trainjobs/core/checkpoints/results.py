"""What a run's result says of storage: which artifacts are the run's own.

Every attempt writes artifacts into folders of its own; the result, which is created once, names those of
the attempt that was first. What another one writes later, nobody reads.
"""

from trainjobs.core.checkpoints.layout import ArtifactRef, parse_artifact_folder, split_place
from trainjobs.core.checkpoints.reading import Fields


def artifacts_in(result: bytes, source: str) -> frozenset[ArtifactRef]:
    """Return the artifacts that a result names; `source` names it in errors.

    It names them by the URIs that they were written to; a run's folder may have moved since, so only what
    they say of the folder counts.

    Raises:
        CorruptCheckpoint: it is no result.
    """
    named = Fields.from_json(result, source).optional("artifacts")
    if named is None:
        return frozenset()
    # A newer version may say of an artifact what is no URI.
    places = [uri for _, uri in named.items() if isinstance(uri, str)]
    found = (parse_artifact_folder(split_place(place)[1]) for place in places)
    return frozenset(ref for ref in found if ref is not None)
