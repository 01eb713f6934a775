"""What can be known of a run's data and model before it starts: are they there, and is every row right."""

from collections.abc import Iterator
from pathlib import Path

from trainjobs.api.manifest import Fault
from trainjobs.api.runs import RewardModelRun, Run
from trainjobs.api.sources import sources
from trainjobs.core.figures.asked import unmeasured
from trainjobs.core.plan.decoding import undecodable
from trainjobs.core.recipe.support import unsupported
from trainjobs.core.uris import file_uri, typed_as_it_is
from trainjobs.errors import InvalidData, InvalidRecipe, ModelNotFound, TrainjobsError
from trainjobs.local.paths import path_here
from trainjobs.local.relative import with_absolute_paths
from trainjobs.local.trackers import missing_trackers
from trainjobs.ml.data.columns import Columns
from trainjobs.ml.data.files import data_files, is_rows
from trainjobs.ml.data.formats.scored import ScoredRows
from trainjobs.ml.data.jsonl import JsonLines
from trainjobs.storage.external import require_checkpoint
from trainjobs.storage.opening import open_to_read


def support_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what this version cannot do of what a run asks for, and what no cluster could."""
    wrong = [(one.field, str(one)) for one in unsupported(run)]
    wrong += [(one.field, str(one)) for one in undecodable(run.spec.pod_template)]
    for field, words in wrong:
        yield InvalidRecipe.exit_code, Fault(str(manifest), "", field, words)


def input_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what is wrong with the files that a run names on this machine, each with its exit code.

    Args:
        run: the run.
        manifest: the file it stands in; relative paths start from its folder.
    """
    for field, words in (*unmeasured(run), *missing_trackers(run)):
        yield _fault(InvalidRecipe.exit_code, manifest, field, words)
    try:
        with_absolute_paths(run, manifest)
    except InvalidRecipe as error:
        yield error.exit_code, Fault(str(manifest), "", "spec", str(error))
        return
    # What the manifest says of all its data is wrong once, not once for every split.
    yield from dict.fromkeys(_data_faults(run, manifest))
    for source in sources(run.spec, "spec"):
        path = _path(source.uri, manifest)
        if path is not None and source.names.kind in ("Model", "Tokenizer"):
            yield from _model_faults(path, source.field, manifest)
        elif path is not None and source.names.kind == "Checkpoint":
            yield from _checkpoint_faults(path, source.field, run, manifest)


def _path(uri: str | None, manifest: Path) -> Path | None:
    return None if uri is None else path_here(uri, manifest.parent)


def _fault(code: int, manifest: Path, path: str, message: str) -> tuple[int, Fault]:
    return code, Fault(str(manifest), "", path, f"{path}: {message}")


def _model_faults(path: Path, field: str, manifest: Path) -> Iterator[tuple[int, Fault]]:
    words = ""
    if field.endswith(".uri") and not (path / "config.json").is_file():
        words = "there is no config.json; give the folder of a model in Hugging Face format"
    elif not path.is_dir():
        words = "there is no such folder; give that of a tokenizer in Hugging Face format"
    if words:
        encoded = "" if path.exists() else typed_as_it_is(str(path))
        yield _fault(ModelNotFound.exit_code, manifest, field, f"{path}: {words}{encoded}")


def _checkpoint_faults(path: Path, field: str, run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    own = not run.spec.runtime.command
    try:
        require_checkpoint(open_to_read(file_uri(path)), of_own_training=own)
    except TrainjobsError as error:
        yield _fault(error.exit_code, manifest, field, str(error))


def _data_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    columns: Columns | None = None
    learned: set[Path] = set()
    for name in ("train", "eval", "test"):
        path = _path(getattr(run.spec.dataset, name), manifest)
        if path is None:
            continue
        field = f"spec.dataset.{name}"
        try:
            columns = _read_rows(path, run, columns)
            files = set() if run.spec.runtime.command else {file.resolve() for file in data_files(path)[0]}
            for file in sorted(files & learned):
                words = f"{file} is learned from, too (spec.dataset.train); hold out other rows"
                yield _fault(InvalidData.exit_code, manifest, field, words)
            learned |= files if name == "train" else set()
        except InvalidData as error:
            encoded = "" if path.exists() else typed_as_it_is(str(path))
            yield _fault(error.exit_code, manifest, field, f"{error}{encoded}")
        except InvalidRecipe as error:
            yield error.exit_code, Fault(str(manifest), "", "spec.dataset", str(error))
        except OSError as error:
            words = f"{error.filename}: cannot be read ({error.strerror}); allow it, or name another"
            yield _fault(InvalidData.exit_code, manifest, field, words)


def _read_rows(path: Path, run: Run, columns: Columns | None) -> Columns | None:
    """Read every row, as training would: ten seconds or so for 100 MB.

    A script of the user's own, and files that are not JSONL, may hold anything.

    Returns the columns in which texts were found, for the data that is read next.
    """
    spec = run.spec
    if path.exists() and spec.runtime.command:
        return None
    if isinstance(run, RewardModelRun) and run.spec.objective.regression is not None:
        rows = ScoredRows(path, spec.dataset, run.spec.objective.regression.dimensions, columns=columns)
        for _ in rows:
            pass
        return rows.columns
    if not path.is_file() or is_rows(path):
        for _ in JsonLines(path):
            pass
    return None
