"""What people may write into metadata and quantities, right and wrong: strategies for properties."""

from typing import Any

from hypothesis import strategies as st

_CHARACTERS = "abcXYZ019-_./:@ 名\n"
WORDS = st.one_of(
    st.text(_CHARACTERS, max_size=12),
    st.from_regex(r"\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,70}[A-Za-z0-9])?\Z"),
    st.from_regex(r"\A[a-z0-9.-]{1,20}/[A-Za-z0-9_.-]{1,20}\Z"),
    st.integers(60, 70).map(lambda length: "a" * length),
    st.integers(250, 256).map(lambda length: f"{'a' * length}/b"),
)
SCALARS = st.one_of(
    WORDS, st.none(), st.integers(-3, 3), st.booleans(), st.floats(0, 2), st.just([]), st.just({})
)
_VALUES = st.one_of(WORDS, WORDS, SCALARS)
_MAPS = st.one_of(st.dictionaries(WORDS, _VALUES, max_size=3), SCALARS)
_OWNERS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.one_of(st.sampled_from(["v1", "apps/v1", "a/b/c", "", "apps/"]), SCALARS),
        "kind": st.one_of(st.sampled_from(["Event", "Deployment", ""]), SCALARS),
        "name": SCALARS,
        "uid": SCALARS,
        "controller": st.one_of(st.booleans(), SCALARS),
        "blockOwnerDeletion": SCALARS,
        "strange": SCALARS,
    },
)
METADATA: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.one_of(st.just("scores"), st.just("scores"), SCALARS)},
    optional={
        "namespace": st.one_of(st.from_regex(r"\A[a-z0-9-]{1,66}\Z"), SCALARS),
        "labels": _MAPS,
        "annotations": _MAPS,
        "finalizers": st.one_of(
            st.lists(st.one_of(WORDS, st.sampled_from(["orphan", "foregroundDeletion"])), max_size=3), SCALARS
        ),
        "ownerReferences": st.one_of(st.lists(_OWNERS, max_size=2), SCALARS),
        "uid": SCALARS,
        "generateName": st.one_of(st.just("scores-"), SCALARS),
        "resourceVersion": st.just("7"),
        "strange": SCALARS,
    },
)
QUANTITIES = st.one_of(
    st.from_regex(r"\A[+-]?[0-9.]{0,5}([eE][-+]?[0-9]{0,3}|[KMGTPE]i?|[numk]i?)?\Z"),
    st.text("0123456789.+-eEinumkKMGTP ", max_size=8),
)
