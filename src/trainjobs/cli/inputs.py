"""What can be known of a run's data and model before it starts: are they there, and do first rows parse."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from trainjobs.api.dataset import Dataset
from trainjobs.api.manifest import Fault
from trainjobs.api.runs import RewardModelRun, Run
from trainjobs.errors import InvalidData, ModelNotFound

ROWS: Final = 20
"""Rows looked at; training reads and judges them all."""
_FILE: Final = "file://"


def input_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what is wrong with the files that a run names on this machine, each with its exit code.

    Args:
        run: the run.
        manifest: the file it stands in; relative paths start from its folder.
    """
    for field in ("train", "eval", "test"):
        uri = getattr(run.spec.dataset, field)
        if (path := local_path(uri, manifest)) is not None:
            for place, words in _rows_wrong(path, run):
                yield _fault(InvalidData.exit_code, manifest, f"spec.dataset.{field}", f"{place}: {words}")
    path = local_path(run.spec.base_model.uri, manifest)
    if path is not None and not (path / "config.json").is_file():
        words = "there is no config.json; give the folder of a model in Hugging Face format"
        yield _fault(ModelNotFound.exit_code, manifest, "spec.baseModel.uri", f"{path}: {words}")


def local_path(uri: str | None, manifest: Path) -> Path | None:
    """Return the path on this machine that a URI stands for; None where it stands for something elsewhere."""
    if uri is None or not uri.startswith(_FILE):
        return None
    return manifest.parent / unquote(uri.removeprefix(_FILE))


def _fault(code: int, manifest: Path, path: str, message: str) -> tuple[int, Fault]:
    return code, Fault(str(manifest), "", path, f"{path}: {message}")


def _rows_wrong(path: Path, run: Run) -> Iterator[tuple[str, str]]:
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not path.exists():
        yield str(path), "no such file; correct the path, or make the data first"
    elif not files:
        yield str(path), "there is no .jsonl file in this folder; put one there, or name a file"
    for file in files if path.exists() else ():
        if file.suffix != ".jsonl":
            continue
        try:
            yield from _file_wrong(file, _columns(run))
        except OSError as error:
            yield str(file), f"cannot be read ({error.strerror}); allow it, or name another"


def _file_wrong(file: Path, columns: list[str]) -> Iterator[tuple[str, str]]:
    if file.stat().st_size == 0:
        yield str(file), "the file is empty; give at least one row"
        return
    with file.open("rb") as lines:
        for number, line in enumerate(islice(lines, ROWS), start=1):
            if line.strip() and (words := _row_wrong(line, columns)):
                yield f"{file} line {number}", words
                return


def _row_wrong(line: bytes, columns: list[str]) -> str:
    try:
        row = json.loads(line)
    except UnicodeDecodeError:
        return "not text in UTF-8; save the file as UTF-8"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} (column {error.colno}); write one JSON object per line"
    if not isinstance(row, dict):
        return "not a JSON object; write one object per line, a field for each column"
    missing = [column for column in columns if column not in row and column.split(".")[0] not in row]
    if missing:
        has = ", ".join(list(row)[:12]) or "none"
        return f"has no {', '.join(missing)}; its columns are {has}: map them with spec.dataset.fields"
    return ""


def _columns(run: Run) -> list[str]:
    """Return the columns that a row of scored reports cannot do without; other layouts are not judged."""
    dataset: Dataset = run.spec.dataset
    if not isinstance(run, RewardModelRun) or run.spec.objective.type != "Regression":
        return []
    if dataset.format not in ("Auto", "Scored"):
        return []
    fields = dataset.fields
    text = fields.text or fields.report or "report"
    scores = list(fields.dimensions.values()) or [fields.scores or "scores"]
    return [text, *scores]
