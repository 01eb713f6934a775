"""Rules in CEL, evaluated where there is no API server."""

import sys
from typing import ClassVar

from pydantic import Field

from trainjobs.api.base import Rule, Section
from trainjobs.api.rules import Violation, violations


class Inner(Section):
    """A part with a rule of its own."""

    low: int = 0
    """Low."""
    high: int = 1
    """High."""
    rules: ClassVar[tuple[Rule, ...]] = (Rule("self.low < self.high", "low has to be below high"),)


class Outer(Section):
    """A part with parts."""

    one: Inner | None = None
    """One."""
    many: list[Inner] = Field(default_factory=list)
    """Many."""
    fixed: str = ""
    """Fixed."""
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule("!has(self.one) || size(self.many) == 0", "one and many exclude each other"),
        Rule("self.fixed == oldSelf.fixed", "fixed cannot change"),
    )


GOOD = {"low": 0, "high": 1}
BAD = {"low": 2, "high": 1}


def test_a_broken_rule_carries_its_path():
    value = {"one": BAD, "many": [GOOD, BAD], "fixed": ""}
    assert list(violations(Outer, value, path=("spec",))) == [
        Violation(("spec",), "one and many exclude each other"),
        Violation(("spec", "one"), "low has to be below high"),
        Violation(("spec", "many", 1), "low has to be below high"),
    ]


def test_what_is_not_given_breaks_nothing():
    assert list(violations(Outer, {"many": [], "fixed": ""})) == []


def test_a_rule_of_change_needs_a_former_value():
    value = {"many": [], "fixed": "new"}
    assert list(violations(Outer, value)) == []
    assert list(violations(Outer, value, {"many": [], "fixed": "old"})) == [
        Violation((), "fixed cannot change")
    ]
    assert list(violations(Outer, value, value)) == []


def test_only_the_engine_of_the_cel_package_is_loaded():
    list(violations(Inner, GOOD))
    assert "cel" not in sys.modules
    assert "prompt_toolkit" not in sys.modules
