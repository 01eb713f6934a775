"""Reading YAML: bounded, with lines, and nothing passed over."""

import pytest

from trainjobs.api.yaml_documents import MAX_CHARACTERS, MAX_DEPTH, Document, YamlProblem, documents, scalar


def _one(text: str) -> Document:
    (document,) = documents(text)
    return document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("2.0", 2),
        ("0o17", 15),
        ("017", 15),
        ("on", True),
        ("~", None),
        ("1.2.3", "1.2.3"),
        ("12:30", "12:30"),
    ],
)
def test_a_plain_scalar_means_what_kubectl_takes_it_for(text: str, value: object):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_every_value_knows_its_line_in_its_document():
    first, second = documents("a: 1\nb:\n  - x\n  - c: 2\n---\n\nd: 3\n")
    assert first.lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4}
    assert second.line(("d",)) == 7
    assert second.place(("d", "missing")) == "line 7"


def test_a_key_that_stands_twice_is_named_with_both_lines():
    assert _one("a:\n  b: 1\n  c: 2\n  b: 3\n").problems == [
        (4, ("a", "b"), "stands twice (first on line 2); remove one")
    ]


def test_empty_documents_are_passed_over():
    assert [document.value for document in documents("---\n---\na: 1\n---\n# nothing\n")] == [{"a": 1}]


def test_an_alias_is_worth_all_that_it_stands_for():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(YamlProblem, match="aliases counted"):
        list(documents("\n".join(levels)))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: *nothing\n", 1, "stands for nothing"),
        ("a: &a [*a]\n", 1, "stands for nothing"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), 1, "levels of nesting"),
        ("a: " + "[" * 5000, 1, "levels of nesting"),
        ("? {a: b}\n: c\n", 1, "a key has to be a word"),
        ("a: \x00\n", 1, "not YAML"),
        ("x" * (MAX_CHARACTERS + 1), 1, "characters"),
    ],
    ids=[
        "unclosed",
        "tab",
        "no anchor",
        "alias in itself",
        "deep",
        "very deep",
        "key",
        "control character",
        "huge",
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, words: str):
    with pytest.raises(YamlProblem, match=words) as refused:
        list(documents(text))
    assert refused.value.line == line


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!foo", "!!binary", "!!int", "!!timestamp"])
def test_a_tag_that_makes_objects_is_refused(tag: str):
    assert "is not allowed" in _one(f"a: {tag} x").problems[0][2]


@pytest.mark.parametrize("value", ["5", "", "text", "[5]", "[[]]", "*list", "[*list]"])
def test_only_mappings_can_be_merged(value: str):
    document = _one(f"list: &list [{{a: 1}}]\nmap:\n  <<: {value}\n  b: 2\n")
    assert [(line, words[:21]) for line, _, words in document.problems] == [(3, "<< merges a mapping, ")]


def test_of_several_merges_the_later_one_wins_and_of_one_list_the_earlier():
    text = "x: &x {a: 1}\ny: &y {a: 2}\none: {<<: *x, <<: *y}\ntwo: {<<: [*x, *y]}\nword: {'<<': 5}"
    value = _one(text).value
    assert isinstance(value, dict)
    assert (value["one"], value["two"], value["word"]) == ({"a": 2}, {"a": 1}, {"<<": 5})


def test_a_key_before_a_merge_that_has_it_too_is_refused():
    (found,) = _one("x: &x {a: 1, b: 2}\nz:\n  b: 3\n  <<: *x\n").problems
    assert found[:2] == (3, ("z", "b"))
    assert found[2].endswith("put << first")


def test_merge_keys_are_merged_and_own_keys_win():
    assert _one("x: &x {a: 1, b: 2}\nz: {<<: *x, b: 3}").value == {
        "x": {"a": 1, "b": 2},
        "z": {"a": 1, "b": 3},
    }
