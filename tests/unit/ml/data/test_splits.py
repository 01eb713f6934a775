"""Rows set aside for validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.errors import InvalidRecipe
from trainjobs.ml.data.splits import Places, Split, assign, draw, place
from trainjobs.ml.data.text import ReportParts

Texts = st.lists(st.text(max_size=20), min_size=4, max_size=60, unique=True)


def places_of(texts: list[str], seed: int = 1) -> Places:
    return np.array([place(text, seed) for text in texts], dtype=np.uint64)


def sides(texts: list[str], split: Split | None, seed: int = 1) -> tuple[set[str], set[str]]:
    """What is learned from, and what is validated on."""
    train, aside = assign(places_of(texts, seed), split)
    assert aside is not None
    return {texts[row] for row in train}, {texts[row] for row in aside}


@given(Texts, Texts, st.floats(0.01, 0.6), st.floats(0.05, 1.0), st.integers(0, 99), st.randoms())
def test_rows_that_come_go_and_move_change_no_other_row_s_side(
    texts: list[str], others: list[str], aside: float, used: float, seed: int, chance: object
) -> None:
    split = draw(places_of(texts, seed), eval_fraction=aside, train_fraction=used, seed=seed)
    learned, validated = sides(texts, split, seed)
    assert not learned & validated
    later = [*texts[len(texts) // 3 :], *others]
    chance.shuffle(later)  # type: ignore[attr-defined]
    learned_later, validated_later = sides(later, split, seed)
    assert not learned & validated_later
    assert not learned_later & validated
    assert (learned & set(later)) <= learned_later


@given(st.lists(st.sampled_from("abcdefgh"), min_size=20, max_size=60), st.floats(0.05, 0.5))
def test_identical_rows_stand_on_one_side(texts: list[str], aside: float) -> None:
    try:
        split = draw(places_of(texts), eval_fraction=aside, train_fraction=1.0, seed=1)
    except InvalidRecipe:
        return
    learned, validated = sides(texts, split)
    assert not learned & validated
    assert validated


@given(Texts, st.floats(0.01, 0.6))
def test_as_many_rows_are_set_aside_as_the_fraction_says(texts: list[str], aside: float) -> None:
    learned, validated = sides(texts, draw(places_of(texts), eval_fraction=aside, train_fraction=1.0, seed=1))
    assert len(validated) == np.ceil(len(texts) * aside)
    assert len(learned) + len(validated) == len(texts)


def test_a_part_of_the_rows_is_validated_on_the_same_rows() -> None:
    texts = [f"row {number}" for number in range(1000)]
    places = places_of(texts)
    learned, validated = sides(texts, draw(places, eval_fraction=0.1, train_fraction=1.0, seed=1))
    part, same = sides(texts, draw(places, eval_fraction=0.1, train_fraction=0.1, seed=1))
    assert same == validated
    assert part < learned
    assert (len(learned), len(part), len(validated)) == (900, 90, 100)


def test_without_fractions_every_row_is_learned_from() -> None:
    split = draw(places_of(["a", "b"]), eval_fraction=0.0, train_fraction=1.0, seed=1)
    train, aside = assign(places_of(["a", "b", "c"]), split)
    assert (train.tolist(), aside) == ([0, 1, 2], None)


def test_a_row_s_place_follows_from_its_text_and_the_seed_alone() -> None:
    parts = ReportParts(report="report", system_prompt="prompt", input_data={"b": 1, "a": 2})
    same = ReportParts(report="report", system_prompt="prompt", input_data={"a": 2, "b": 1})
    assert place(parts, 1) == place(same, 1)
    assert len({place(parts, 1), place(parts, 2), place("report", 1), place("prompt", 1)}) == 4


@pytest.mark.parametrize(
    ("texts", "aside", "advice"),
    [
        (["a"], 0.5, "1 rows with 1 different texts .* give rows with other texts"),
        (["a"] * 20, 0.2, "20 rows with 1 different texts .* give rows with other texts"),
        (["a", "b"], 0.9, "2 rows with 2 different texts .* lower it"),
    ],
)
def test_a_fraction_that_leaves_nothing_to_train_on_is_refused(
    texts: list[str], aside: float, advice: str
) -> None:
    with pytest.raises(InvalidRecipe, match=advice):
        draw(places_of(texts), eval_fraction=aside, train_fraction=1.0, seed=1)
