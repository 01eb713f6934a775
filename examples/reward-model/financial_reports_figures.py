"""The figures of a synthetic financial report: what the analyst was given, and what is true.

Only +, -, *, / and `random.random()` are used, whose results are the same on every machine and
Python version, so that the same seed gives the same bytes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Seeded random choices, built on `random.random()` alone (its sequence is promised to stay)."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random.random() * len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` different items, in random order."""
        rest = list(items)
        return [rest.pop(int(self._random.random() * len(rest))) for _ in range(count)]

    def normal(self, deviation: float) -> float:
        """Return a nearly normal number around 0 (the sum of 12 uniform ones)."""
        return deviation * (sum(self._random.random() for _ in range(12)) - 6)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the input data, now and in the period compared with.

    `amount` figures are compared by their growth rate, others by the two values.
    """

    label: str
    unit: str
    now: float
    prev: float
    amount: bool = False
    higher_is_better: bool = True
    industry: float | None = None

    @property
    def rose(self) -> bool:
        return self.now >= self.prev

    @property
    def growth(self) -> float:
        """The size of the change, in per cent of the earlier value, without its sign."""
        return round(abs(self.now / self.prev - 1) * 100, 1)


def figures_of(topic: str, draw: Draw) -> tuple[Figure, ...]:
    """Return the figures of a topic; the first one decides whether things got better or worse."""
    return _TOPICS[topic](draw)


def _moved(draw: Draw, low: float, high: float, spread: float) -> tuple[float, float]:
    """Return (now, prev), different from each other, 2 decimals; spread is the largest relative change."""
    prev = round(draw.uniform(low, high), 2)
    change = draw.uniform(0.04, spread)
    return round(prev * (1 + change if draw.chance(0.5) else 1 - change), 2), prev


def _ratio(draw: Draw, label: str, unit: str, low: float, high: float, *, better_low: bool = False) -> Figure:
    now, prev = _moved(draw, low, high, 0.25)
    return Figure(label, unit, now, prev, higher_is_better=not better_low)


def _with_industry(draw: Draw, figure: Figure) -> Figure:
    factor = draw.uniform(1.05, 1.3) if draw.chance(0.5) else draw.uniform(0.7, 0.95)
    return replace(figure, industry=round(figure.now * factor, 2))


def _income(draw: Draw) -> tuple[Figure, Figure, Figure]:
    """Return net margin, revenue and net profit that agree with each other in both periods."""
    revenue, revenue_prev = _moved(draw, 5, 180, 0.3)
    margin, margin_prev = _moved(draw, 4, 22, 0.3)
    profit, profit_prev = round(revenue * margin / 100, 2), round(revenue_prev * margin_prev / 100, 2)
    return (
        _with_industry(draw, Figure("净利率", "%", margin, margin_prev)),
        Figure("营业收入", "亿元", revenue, revenue_prev, amount=True),
        Figure("净利润", "亿元", profit, profit_prev, amount=True),
    )


def _profitability(draw: Draw) -> tuple[Figure, ...]:
    gross = _ratio(draw, "毛利率", "%", 24, 55)
    return (*_income(draw), gross, _ratio(draw, "期间费用率", "%", 8, 19, better_low=True))


def _quarter(draw: Draw) -> tuple[Figure, ...]:
    return (*_income(draw), _ratio(draw, "毛利率", "%", 24, 55), _ratio(draw, "产能利用率", "%", 55, 78))


def _solvency(draw: Draw) -> tuple[Figure, ...]:
    assets, assets_prev = _moved(draw, 20, 400, 0.2)
    return (
        _with_industry(draw, _ratio(draw, "总资产周转率", "次", 0.4, 1.6)),
        Figure("总资产", "亿元", assets, assets_prev, amount=True),
        _ratio(draw, "存货周转天数", "天", 45, 160, better_low=True),
        _ratio(draw, "资产负债率", "%", 30, 62, better_low=True),
        _ratio(draw, "流动比率", "倍", 0.8, 2.4),
    )


def _risk(draw: Draw) -> tuple[Figure, ...]:
    cash, cash_prev = _moved(draw, 3, 60, 0.3)
    return (
        _with_industry(draw, _ratio(draw, "利息保障倍数", "倍", 1.5, 11)),
        Figure("经营活动现金流净额", "亿元", cash, cash_prev, amount=True),
        _ratio(draw, "资产负债率", "%", 35, 65, better_low=True),
        _ratio(draw, "应收账款周转天数", "天", 40, 150, better_low=True),
        _ratio(draw, "现金短债比", "倍", 0.5, 2.5),
    )


def _return(draw: Draw) -> tuple[Figure, ...]:
    """Return DuPont's parts and a return on equity that is their product in both periods."""
    margin, turnover = _ratio(draw, "净利率", "%", 5, 20), _ratio(draw, "总资产周转率", "次", 0.5, 1.3)
    multiplier = _ratio(draw, "权益乘数", "倍", 1.4, 2.6)
    now = round(margin.now * turnover.now * multiplier.now, 2)
    prev = round(margin.prev * turnover.prev * multiplier.prev, 2)
    equity = _with_industry(draw, Figure("净资产收益率", "%", now, prev))
    return (equity, margin, turnover, multiplier, _ratio(draw, "投入资本回报率", "%", 5, 17))


_TOPICS = {
    "profitability": _profitability,
    "solvency": _solvency,
    "risk": _risk,
    "quarter": _quarter,
    "return": _return,
}
TOPICS = tuple(_TOPICS)
