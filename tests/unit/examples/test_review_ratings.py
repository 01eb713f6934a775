"""The real ratings: read whole, split fairly, written the same every time."""

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import prepare_review_ratings as ratings
import pytest
from pip_fetch import cache_folder, fetch, read_pin

from trainjobs.errors import InvalidData, ModelNotFound


@pytest.fixture(scope="module")
def sources() -> dict[str, ratings.Source]:
    return ratings.read_sources(fetch(read_pin(ratings.REQUIREMENTS), cache_folder()))


@pytest.fixture(scope="module")
def movies(sources: dict[str, ratings.Source]) -> tuple[ratings.Sentence, ...]:
    return sources["movieReviewSnippets"].sentences


def test_every_published_mean_of_a_movie_sentence_is_its_ratings_mean(
    sources: dict[str, ratings.Source],
) -> None:
    source = sources["movieReviewSnippets"]
    assert len(source.sentences) == 10_605
    assert source.contradicted == ()
    counts = [len(sentence.ratings) for sentence in source.sentences]
    assert (min(counts), max(counts)) == (15, 29)


def test_tweets_whose_published_mean_is_contradicted_are_left_out(sources: dict[str, ratings.Source]) -> None:
    assert len(sources["tweets"].sentences) == 4_001
    assert len(sources["tweets"].contradicted) == 199


def test_the_split_is_disjoint_and_complete(movies: tuple[ratings.Sentence, ...]) -> None:
    train, test = ratings.split(movies, ratings.HELD_OUT)
    assert (len(train), len(test)) == (9_545, 1_060)
    assert sorted([*train, *test], key=lambda s: s.id) == sorted(movies, key=lambda s: s.id)
    assert len({sentence.id for sentence in (*train, *test)}) == len(movies)


def test_no_text_is_on_both_sides_of_the_split(movies: tuple[ratings.Sentence, ...]) -> None:
    train, test = ratings.split(movies, ratings.HELD_OUT)
    assert not {ratings.normalized(s.text) for s in train} & {ratings.normalized(s.text) for s in test}


def test_the_split_does_not_depend_on_the_order_of_the_rows(movies: tuple[ratings.Sentence, ...]) -> None:
    forwards, backwards = ratings.split(movies, 1_060)[1], ratings.split(movies[::-1], 1_060)[1]
    assert forwards == backwards[::-1]


def test_the_held_out_tenth_looks_like_the_rest(movies: tuple[ratings.Sentence, ...]) -> None:
    train, test = ratings.split(movies, ratings.HELD_OUT)
    # Means of single sentences spread by 1.7: the mean of 1,060 of them is known to 0.05.
    assert abs(mean_score(train) - mean_score(test)) < 0.15


def mean_score(sentences: tuple[ratings.Sentence, ...]) -> float:
    return sum(sum(s.ratings) / len(s.ratings) for s in sentences) / len(sentences)


def test_a_text_twice_is_on_one_side_only_or_the_split_is_refused() -> None:
    twice = [ratings.Sentence("a-1", "A mess.", (1,)), ratings.Sentence("a-2", "a mess", (2,))]
    with pytest.raises(InvalidData, match="both sides"):
        ratings.split(twice, 1)


def test_a_row_holds_one_object_of_scores_for_each_rating(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    ratings.write_rows(path, [ratings.Sentence("movie-00001", "½ good", (3, -1))])
    (row,) = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert row == {"id": "movie-00001", "text": "½ good", "scores": [{"sentiment": 3}, {"sentiment": -1}]}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("cell", ["[]", "[5]", "[-5, 1]"])
def test_ratings_outside_their_range_are_refused(cell: str) -> None:
    with pytest.raises(InvalidData, match=r"ratings of 7"):
        ratings.parse("7\t1\tgood\n", f"7\t1\t0\t{cell}\n", "movie")


def test_a_text_without_ratings_is_refused() -> None:
    with pytest.raises(InvalidData, match="movie 7: no ratings"):
        ratings.parse("7\t1\tgood\n", "8\t1\t0\t[1]\n", "movie")


def test_a_line_with_other_columns_is_named() -> None:
    with pytest.raises(InvalidData, match="line 2: 2 columns, expected 3"):
        ratings.parse("7\t1\tgood\r\n8\t1\r\n", "7\t1\t0\t[1]\n", "movie")


def contents(folder: Path) -> Iterator[tuple[str, bytes, int]]:
    for path in sorted(folder.rglob("*.*")):
        yield str(path), path.read_bytes(), path.stat().st_ino if path.parent.name == "minilm" else 0


def test_preparing_twice_changes_nothing_and_copies_the_encoder_once(tmp_path: Path) -> None:
    lines = list(ratings.prepare(tmp_path, cache_folder()))
    first = list(contents(tmp_path))
    assert list(ratings.prepare(tmp_path, cache_folder())) == lines
    assert list(contents(tmp_path)) == first
    assert {path.name for path in (tmp_path / "minilm").iterdir()} == set(ratings.ENCODER_FILES)


def test_a_damaged_copy_of_the_encoder_is_made_anew(tmp_path: Path) -> None:
    ratings.copy_encoder(tmp_path)
    whole = (tmp_path / "tokenizer.json").read_bytes()
    (tmp_path / "tokenizer.json").write_bytes(whole[:-1])
    ratings.copy_encoder(tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == whole


def test_an_encoder_that_is_not_installed_is_named_with_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratings, "ENCODER", "no-such-encoder")
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("no-such-encoder")
    with pytest.raises(ModelNotFound, match="no-such-encoder is not installed: run"):
        ratings.copy_encoder(tmp_path)
