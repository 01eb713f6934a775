"""Nothing is lost, changed or doubled by being read, and every fault is named by line and column."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.errors import InvalidData
from trainjobs.ml.data.json_values import fault_in, parse_object
from trainjobs.ml.data.text import data_text

LONG = '{"text": "' + "a" * 500 + '", "scores": {"accuracy" 4}, "note": "' + "b" * 500 + '"}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": {"b": 1e999}}', "r.jsonl line 7 column 13: 1e999 is larger than a number can be"),
        ('{"a": "-1e999", "b": -1e999}', "r.jsonl line 7 column 22: -1e999 is larger than"),
        ('{"a": 1e-999}', "r.jsonl line 7 column 7: 1e-999 is smaller than a number can be"),
        ('{"a": "NaN", "b": [NaN]}', "r.jsonl line 7 column 20: NaN is not JSON"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "r.jsonl line 7: 'c' stands twice in one object"),
        ('{"a": 1, "b": 2, "a": 3}', "r.jsonl line 7: 'a' stands twice in one object"),
        (f'{{"a": {"1" * 5000}}}', "r.jsonl line 7: not JSON (a number of more than 4,300 digits)"),
        (LONG, "r.jsonl line 7 column 536: not JSON (Expecting ':' delimiter): …'cores"),
        (
            "[",
            "r.jsonl line 7 column 2: not JSON (it ends in the middle): '['; a row is one object on one line",
        ),
        ('{"a": 1,\n', "r.jsonl line 7 column 9: not JSON (it ends in the middle)"),
        ('{"a": 1,\n "b" 2}\n', "r.jsonl line 7 line 2 column 6: not JSON"),
        (
            '[{"a": 1}]',
            "r.jsonl line 7: a list, not a JSON object; a row is one object on one line: trainjobs data",
        ),
        ('{"a": 1} {"a": 2}', "r.jsonl line 7 column 10: not JSON (Extra data)"),
    ],
)
def test_what_would_silently_become_something_else_is_refused_by_its_place(text: str, message: str):
    with pytest.raises(InvalidData) as refused:
        parse_object(text, "r.jsonl line 7")
    assert str(refused.value).startswith(message)
    assert len(str(refused.value)) < 250


def test_an_excerpt_shows_what_stands_around_the_fault():
    with pytest.raises(InvalidData) as refused:
        parse_object(LONG, "r.jsonl line 7")
    assert str(refused.value).endswith("""…'cores": {"accuracy" 4}, "note": "bbbbbbb'…""")


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUE, max_size=4))
def test_what_is_read_is_what_was_written(row: dict[str, object]):
    assert parse_object(json.dumps(row), "r.jsonl line 1") == row


# Any characters, half ones too, and numbers that no float can hold.
ANY = st.recursive(
    st.text(st.characters(exclude_categories=())) | st.floats() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner)
    ),
    max_leaves=8,
)


@given(ANY)
def test_what_has_no_fault_can_be_written_as_text(value: object):
    try:
        data_text(value).encode("utf-8")
    except (UnicodeEncodeError, ValueError):
        assert fault_in(value, "input_data") is not None
    else:
        assert fault_in(value, "input_data") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {"b": "x\ud800"}]}, "input_data.a[1].b holds half a character at 1"),
        ({"a": {"\udc80": 1}}, "a name in input_data.a holds half a character at 0"),
        ({"a": math.inf}, "input_data.a is inf, which is no number"),
        ({"a": {1, 2}}, "input_data.a is a set, which JSON does not have"),
    ],
)
def test_a_fault_is_named_by_its_place(value: object, words: str):
    assert str(fault_in(value, "input_data")).startswith(words)


def test_what_is_nested_too_deeply_is_refused_before_a_program_fails_on_it():
    deep: object = 1
    for _ in range(150):
        deep = [deep]
    assert "nested more than 100 deep" in str(fault_in(deep, "input_data"))
