import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainjobs.core.plan.quantities import amount, room_for


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("50Gi", 50 * 2**30), ("1.5Ti", 1.5 * 2**40), ("500M", 5e8), ("500m", 0.5), ("1e3", 1000),
        ("2E2", 200), ("3E", 3e18), (7, 7), ("7", 7), ("+1k", 1000), (".5Ki", 512),
    ],
)  # fmt: skip
def test_a_quantity_is_what_kubernetes_takes_it_for(quantity: str | int, number: float) -> None:
    assert amount(quantity) == number


@pytest.mark.parametrize("quantity", ["", "ten", "1GB", "-1Gi", "1 Gi", None, True, [], {}])
def test_what_is_no_quantity_is_none(quantity: object) -> None:
    assert amount(quantity) is None  # type: ignore[arg-type]


@given(st.floats(min_value=1, max_value=1e16))
def test_the_room_advised_is_enough_and_not_twice_too_much(size: float) -> None:
    room = amount(room_for(size))

    assert room is not None
    assert size <= room <= max(2**30, 1.5 * size) or size < 2**30
