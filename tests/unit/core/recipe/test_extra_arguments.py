"""Extra arguments in the types that the library declares."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.recipe.extra_arguments import OURS, Kinds, faults, fitted
from trainjobs.errors import InvalidRecipe

KNOWN: dict[str, Kinds] = {
    "ratio": frozenset({"float"}),
    "count": frozenset({"int", "None"}),
    "switch": frozenset({"bool"}),
    "name": frozenset({"str", "None"}),
    "kind": frozenset({"OptimizerNames", "str"}),
    "names": frozenset({"list"}),
    "options": frozenset({"dict", "str", "None"}),
    "layout": frozenset({"ParallelismConfig", "None"}),
}


def fit(name: str, value: Any) -> Any:
    return fitted({name: value}, KNOWN, "library 1.0")[name]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ratio", "1e-8", 1e-8),
        ("ratio", 1, 1.0),
        ("count", "3", 3),
        ("count", 3.0, 3),
        ("count", None, None),
        ("switch", "True", True),
        ("switch", False, False),
        ("name", "on", "on"),
        ("kind", "sgd", "sgd"),
        ("names", "loss", ["loss"]),
        ("options", '{"a": 1}', {"a": 1}),
        ("options", {"a": [1]}, {"a": [1]}),
    ],
)
def test_a_value_of_one_meaning_is_converted(name: str, value: Any, expected: Any) -> None:
    found = fit(name, value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ratio", "small", '"small" is not allowed; give a number'),
        ("ratio", "nan", '"nan" is not allowed; give a number'),
        ("ratio", True, "true is not allowed; give a number"),
        ("ratio", None, "null is not allowed; give a number"),
        ("ratio", [1e-8], "[1e-08] is not allowed; give a number"),
        ("count", "1.5", '"1.5" is not allowed; give a whole number or null'),
        ("count", 1.5, "1.5 is not allowed; give a whole number or null"),
        ("switch", 1, "1 is not allowed; give true or false"),
        ("switch", "maybe", '"maybe" is not allowed; give true or false'),
        ("name", 3, "3 is not allowed; give a text or null"),
        ("names", [1], "[1] is not allowed; give a list of texts"),
        ("options", "a=1", '"a=1" is not allowed; give an object of names and values or null'),
        ("layout", {"tp_size": 2}, '{"tp_size": 2} is not allowed; a manifest cannot hold what it needs'),
        ("other", 1, "library 1.0 has no such argument"),
        ("learning_rate", 1e-3, "not passed through; set spec.training.learningRate"),
    ],
)
def test_anything_else_is_refused_with_field_value_and_type(name: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        fit(name, value)
    assert str(refused.value).startswith(f"spec.training.extraArguments.{name}: {said}")


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53))
def test_a_number_means_the_same_written_as_a_text(number: float) -> None:
    assert fit("ratio", json.dumps(number)) == fit("ratio", number) == float(number)


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(KNOWN)), Values)
def test_what_is_taken_has_a_declared_type_and_is_taken_again_as_it_is(name: str, value: Any) -> None:
    try:
        found = fit(name, value)
    except InvalidRecipe:
        return
    assert ("None" if found is None else type(found).__name__) in KNOWN[name]
    assert fit(name, found) == found


def test_every_fault_is_named() -> None:
    extra: dict[str, Any] = {"ratio": "x", "count": 1, "other": 2}
    assert [words.partition(":")[0] for words in faults(extra, KNOWN, "library 1.0")] == [
        "spec.training.extraArguments.ratio",
        "spec.training.extraArguments.other",
    ]


def test_nothing_is_ours_without_a_word_on_what_to_set() -> None:
    assert all(words.startswith(("spec.", "nothing: ", "the run's")) for words in OURS.values())
