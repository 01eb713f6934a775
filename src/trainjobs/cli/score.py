"""`trainjobs score`: score one report, a file of them, or what comes in on standard input."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.console import Console

from trainjobs.cli.console import Output, OutputOption, note_line, print_json
from trainjobs.cli.learning import ModelTarget, need_torch, plain_table
from trainjobs.cli.targets import check_target, writing
from trainjobs.errors import InvalidData, UsageError

if TYPE_CHECKING:
    from trainjobs.ml.scoring import RewardModel, Score
    from trainjobs.ml.scoring.rows import Row

app = typer.Typer(rich_markup_mode=None, add_completion=False)

PREDICTED = "predicted"
"""Column of the scores beside rows that are kept; `predictions.jsonl` calls them so."""
WINDOW = 2048
"""Rows read, scored and written together: memory stays small however long the file is."""


@app.command()
def score(
    model: ModelTarget,
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|-]", help="A report (.json), rows (.jsonl), or - for standard input."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="Score this text. Repeatable.")] = None,
    min_overall: Annotated[
        float | None, typer.Option("--min-overall", help="Keep the rows that reach this overall score.")
    ] = None,
    with_scores: Annotated[
        bool,
        typer.Option("--with-scores", help="Write the rows with their scores, as predicted."),
    ] = False,
    to: Annotated[Path | None, typer.Option("--to", help="Write rows to this file.")] = None,
    output: OutputOption = Output.TEXT,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts per forward pass.")] = 32,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
) -> None:
    """Score texts with a trained reward model: every dimension, the overall score, and a grade.

    With --min-overall the rows that reach it are written as they came, and counted on standard error; with
    --with-scores all rows, or those, get their scores in a column of their own.

    \b
    trainjobs score runs/rewardmodelrun/review-ratings --text "A film to remember."
    trainjobs score runs/rewardmodelrun/financial-reports report.json
    trainjobs score runs/rewardmodelrun/financial-reports rows.jsonl --min-overall 4.0 --to kept.jsonl
    cat rows.jsonl | trainjobs score runs/rewardmodelrun/financial-reports - --output json
    """
    if file is None and not text:
        raise UsageError("nothing to score: give a FILE, - for standard input, or --text")
    if file is not None and text:
        raise UsageError("give either a FILE (- for standard input) or --text, not both")
    if text and (min_overall is not None or to is not None or with_scores):
        raise UsageError(
            "--min-overall, --with-scores and --to are for rows: give a FILE, or - for standard input"
        )
    _check_encoding(text or [])
    check_target("--to", to, [None if file == "-" else file])
    need_torch()
    from trainjobs.cli.local_copies import at_hand
    from trainjobs.ml.silence import silence

    folder = at_hand(model, "model")
    silence()
    from trainjobs.ml.scoring import RewardModel

    loaded = RewardModel.load(folder, device=device)
    job = _Job(loaded, batch_size, output, to)
    if min_overall is not None:
        _check_limit(loaded, min_overall)
    if text:
        if loaded.config.parts != ["text"]:
            note_line(
                "note: this model was trained on reports with their system prompt and input data, and judges "
                "a bare text by less than it knows; give a FILE with the three parts"
            )
        job.show(list(zip(text, loaded.score(text, batch_size=batch_size), strict=True)))
    elif file is not None:
        job.score_file(file, min_overall, with_scores=with_scores)


@dataclass(frozen=True, slots=True)
class _Job:
    model: "RewardModel"
    batch_size: int
    output: Output
    to: Path | None

    def score_file(self, file: str, min_overall: float | None, *, with_scores: bool) -> None:
        """Score a file or standard input, and write what was asked for."""
        from trainjobs.ml.data.files import lines
        from trainjobs.ml.scoring.rows import read_one, read_rows

        name = "standard input" if file == "-" else Path(file).name
        columns = self.model.config.columns
        with _opened(file) as stream:
            found = lines(stream, name)
            first = next(found, None)
            is_one = file.removesuffix(".gz").endswith(".json") or (
                file == "-" and first is not None and not _is_row(first[1])
            )
            if is_one and first is not None:
                rest = b"".join(raw for _, raw in chain([first], found))
                rows = iter([read_one(rest, name, columns)])
            else:
                rows = read_rows(chain([first] if first else [], found), name, columns)
            if min_overall is not None or with_scores:
                self._write_rows(self._windows(rows), min_overall, with_scores=with_scores)
            elif is_one and self.to is None:
                self.show([(row.where, self._score([row])[0]) for row in rows])
            else:
                self._write_scores(self._windows(rows))

    def show(self, pairs: "list[tuple[str, Score]]") -> None:
        """Print the scores of a few texts."""
        if self.output is Output.JSON:
            records = [record(score) for _, score in pairs]
            print_json(records[0] if len(records) == 1 else records)
            return
        names = self.model.config.names
        shown = ["overall", *names] if len(names) > 1 else names
        table = plain_table("text", *(f">{name}" for name in shown), "grade")
        for name, score in pairs:
            numbers = (
                [score.overall_score, *score.scores.values()] if len(names) > 1 else score.scores.values()
            )
            table.add_row(name, *(f"{number:.2f}" for number in numbers), score.grade)
        Console().print(table)
        self._say_cuts([score.truncated_tokens for _, score in pairs])

    def _windows(self, rows: "Iterator[Row]") -> "Iterator[list[tuple[Row, Score]]]":
        while window := list(islice(rows, WINDOW)):
            yield list(zip(window, self._score(window), strict=True))

    def _score(self, rows: "list[Row]") -> "list[Score]":
        try:
            return self.model.score([row.text for row in rows], batch_size=self.batch_size)
        except InvalidData as problem:
            number, _, words = str(problem).removeprefix("text ").partition(": ")
            raise InvalidData(f"{rows[int(number) - 1].where}: {words}") from None

    def _write_rows(
        self, windows: "Iterator[list[tuple[Row, Score]]]", min_overall: float | None, *, with_scores: bool
    ) -> None:
        """Write rows as they came, all or those that reach `min_overall`, with their scores if asked for."""
        seen = kept = 0
        cuts: list[int] = []
        with writing("--to", self.to) as stream:
            for window in windows:
                for row, score in window:
                    seen += 1
                    cuts.append(score.truncated_tokens)
                    if min_overall is None or score.overall_score >= min_overall:
                        kept += 1
                        stream.write((_beside(row, score) if with_scores else row.raw) + b"\n")
        if min_overall is not None:
            typer.echo(
                f"kept {kept:,} of {seen:,} rows with an overall score of at least {min_overall:g}", err=True
            )
        self._say_cuts(cuts)

    def _write_scores(self, windows: "Iterator[list[tuple[Row, Score]]]") -> None:
        """One JSON object a row, or with text output to a terminal's reader one short line."""
        cuts: list[int] = []
        with writing("--to", self.to) as stream:
            for window in windows:
                for row, score in window:
                    named = {"id": row.id} if "id" in row.row else {}
                    if self.output is Output.JSON or self.to is not None:
                        line = json.dumps({"where": row.where, **named, **record(score)}, ensure_ascii=False)
                    else:
                        each = "  ".join(f"{name} {number:.2f}" for name, number in score.scores.items())
                        own = "".join(f"  {one}" for one in named.values())
                        line = f"{row.where}{own}  {score.overall_score:.2f}  {score.grade}  {each}"
                    stream.write(line.encode() + b"\n")
                    cuts.append(score.truncated_tokens)
        self._say_cuts(cuts)

    def _say_cuts(self, tokens: list[int]) -> None:
        cut = [count for count in tokens if count]
        if cut:
            longest = self.model.config.max_length
            typer.echo(f"{len(cut):,} texts were cut to {longest} tokens, by {sum(cut):,} in all", err=True)


def record(score: "Score") -> dict[str, object]:
    """A score as JSON."""
    return {
        "scores": dict(score.scores),
        "overall_score": score.overall_score,
        "grade": score.grade,
        "raw_scores": dict(score.raw_scores),
        "truncated_tokens": score.truncated_tokens,
    }


def _beside(row: "Row", score: "Score") -> bytes:
    """A row as it came, byte for byte, with its scores behind all else."""
    if PREDICTED in row.row:
        raise InvalidData(
            f"{row.where}: {PREDICTED} stands there already; rename it, or leave out --with-scores"
        )
    scores = json.dumps({PREDICTED: record(score)}, ensure_ascii=False).encode()
    return row.raw.rstrip().removesuffix(b"}").rstrip() + b", " + scores.removeprefix(b"{")


def _check_encoding(texts: list[str]) -> None:
    """A terminal of another encoding hands over bytes that are no text."""
    for number, text in enumerate(texts, 1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"--text {number}: not UTF-8 (character {error.start + 1}); give it in UTF-8, or in a file"
            ) from None


def _check_limit(model: "RewardModel", limit: float) -> None:
    low, high = model.scale.minimum, model.scale.maximum
    if not low <= limit <= high:
        raise UsageError(
            f"--min-overall: {limit:g} is outside {low:g} to {high:g}, this model's overall scale"
        )


def _is_row(line: bytes) -> bool:
    """Whether a first line is a row of its own, and not the beginning of one object over several lines."""
    try:
        json.loads(line)
    except ValueError:
        return not line.lstrip().startswith(b"{")
    return True


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    if not Path(file).is_file():
        raise InvalidData(f"{file}: no such file; give a report (.json) or rows (.jsonl)")
    with Path(file).open("rb") as stream:
        yield stream
