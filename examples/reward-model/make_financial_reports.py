"""Makes the SYNTHETIC rows of financial-reports.yaml: reports in Chinese, with analysts' scores.

    python examples/reward-model/make_financial_reports.py            write the files
    python examples/reward-model/make_financial_reports.py --check    fail unless they are what it would write

Nothing here is about a real company, and no human wrote or scored these reports. A row is

    {"id", "system_prompt", "input_data": {…}, "report": markdown,
     "scores": [{"accuracy": 4.5, "professionalism": 4.0, "depth_of_analysis": 3.5}, …]}

with one object for each of three to five simulated analysts. What earns a score is planted in the
text (`Plan`) and turned into a true quality by a formula (`Plan.quality`), to which each analyst
adds a personal bias and noise. So a model can learn the scores, and a test can say how well.
"""

import interpreter  # noqa: F401

# isort: split
import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from financial_reports_figures import TOPICS, Draw, Figure, figures_of

FOLDER = Path(__file__).resolve().parent / "financial-reports"
ROWS = {"train": 600, "validation": 80, "test": 80}
SEED = "trainjobs-financial-reports-1"
DIMENSIONS = ("accuracy", "professionalism", "depth_of_analysis")

_PHRASES: dict[str, Any] = yaml.safe_load((FOLDER / "phrases.yaml").read_text(encoding="utf-8"))
_NUMERALS = "一二三四五六"
_MISTAKES = ("figure", "direction", "unit")
_ANALYSTS = 12


@dataclass(frozen=True, slots=True)
class Plan:
    """What is planted in one report; counts, but for the two flags.

    mistakes: one entry for each figure of the report: a word of `_MISTAKES`, or empty when it is right.
    casual: for each figure, whether its sentence is colloquial.
    """

    mistakes: tuple[str, ...]
    casual: tuple[bool, ...]
    unsupported: int
    wrong_conclusion: bool
    unstructured: bool
    fillers: int
    background: int
    drivers: int
    comparisons: int
    risks: int
    advice: int

    def quality(self) -> dict[str, float]:
        """Return the true scores, 0 … 5, before any analyst's bias and noise."""
        wrong = len([mistake for mistake in self.mistakes if mistake])
        accuracy = 4.8 - 0.6 * wrong - 0.7 * self.unsupported - 0.6 * self.wrong_conclusion
        professionalism = 4.8 - 0.35 * sum(self.casual) - 0.5 * self.fillers - 0.7 * self.unstructured
        depth = 1.0 + 0.5 * self.drivers + 0.45 * self.comparisons + 0.4 * self.risks + 0.4 * self.advice
        values = dict(zip(DIMENSIONS, (accuracy, professionalism, depth), strict=True))
        return {name: min(5.0, max(0.0, value)) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about: all that its author was given."""

    topic: str
    company: str
    industry: str
    period: str
    figures: tuple[Figure, ...]

    @property
    def words(self) -> dict[str, Any]:
        return dict(_PHRASES["topics"][self.topic])

    @property
    def better(self) -> bool:
        first = self.figures[0]
        return first.rose == first.higher_is_better

    def input_data(self) -> dict[str, object]:
        figures = {}
        for figure in self.figures:
            values = {"本期": figure.now, self.words["base"]: figure.prev}
            if figure.industry is not None:
                values["行业均值"] = figure.industry
            figures[f"{figure.label}({figure.unit})"] = values
        return {"公司": self.company, "行业": self.industry, "报告期": self.period, "财务数据": figures}


@dataclass(frozen=True, slots=True)
class Sample:
    """One row, and what was planted in it (which the files do not hold)."""

    plan: Plan
    row: dict[str, object]


def samples(split: str, count: int) -> Iterator[Sample]:
    """Yield `count` rows of a split; the same ones at every call, whatever the count."""
    biases = _analyst_biases()
    for number in range(count):
        draw = Draw(f"{SEED}/{split}/{number}")
        subject = draw_subject(draw, split, TOPICS[number % len(TOPICS)])
        plan = draw_plan(draw, len(subject.figures))
        row: dict[str, object] = {
            "id": f"{split}-{number:04d}",
            "system_prompt": draw.pick(_PHRASES["system_prompts"]).format(task=subject.words["task"]),
            "input_data": subject.input_data(),
            "report": write_report(draw, subject, plan),
            "scores": draw_scores(draw, plan.quality(), biases),
        }
        yield Sample(plan, row)


def draw_subject(draw: Draw, split: str, topic: str) -> Subject:
    industry = draw.pick(list(_PHRASES["industries"]))
    company = draw.pick(_PHRASES["companies"][split]) + _PHRASES["industries"][industry]
    period = draw.pick(_PHRASES["topics"][topic]["periods"])
    return Subject(topic, company, industry, period, figures_of(topic, draw))


def draw_plan(draw: Draw, figures: int) -> Plan:
    """Draw what to plant. A weak author is weak in all three dimensions, but not equally."""
    author = draw.uniform(0, 1)
    care, style, insight = (min(1.0, max(0.0, author + draw.uniform(-0.4, 0.4))) for _ in range(3))
    slip = 0.6 * (1 - care) * (1 - care)
    return Plan(
        mistakes=tuple(draw.pick(_MISTAKES) if draw.chance(slip) else "" for _ in range(figures)),
        casual=tuple(draw.chance(0.8 * (1 - style)) for _ in range(figures)),
        unsupported=_count(draw, 3, 0.75 * (1 - care)),
        wrong_conclusion=draw.chance(0.6 * slip),
        unstructured=draw.chance(0.7 * (1 - style)),
        fillers=_count(draw, 3, 0.75 * (1 - style)),
        background=_count(draw, 3, 0.5),
        drivers=_count(draw, 3, 0.1 + 0.85 * insight),
        comparisons=_count(draw, 3, 0.05 + 0.85 * insight),
        risks=_count(draw, 2, 0.1 + 0.85 * insight),
        advice=_count(draw, 1, 0.1 + 0.85 * insight),
    )


def write_report(draw: Draw, subject: Subject, plan: Plan) -> str:
    """Return the report in markdown, or as plain paragraphs when the plan says `unstructured`."""
    words = subject.words
    told = "better" if subject.better != plan.wrong_conclusion else "worse"
    facts = [
        _claim(draw, subject, figure, mistake, "casual" if casual else "formal")
        for figure, mistake, casual in zip(subject.figures, plan.mistakes, plan.casual, strict=True)
    ]
    background = [
        text.format(industry=subject.industry, period=subject.period)
        for text in draw.sample(_PHRASES["background"], plan.background)
    ]
    sections = [
        [words["conclusion"][told], *background],
        facts,
        draw.sample(words["drivers"][told], plan.drivers),
        draw.sample([_against_industry(subject.figures[0]), *words["comparisons"]], plan.comparisons),
        draw.sample(words["risks"], plan.risks),
        draw.sample(words["advice"], plan.advice),
    ]
    loose = draw.sample(_PHRASES["unsupported"], plan.unsupported) + draw.sample(
        _PHRASES["fillers"], plan.fillers
    )
    for text in loose:
        draw.pick(sections[:2]).append(text)
    if plan.unstructured:
        return "".join(_sentence(text) for section in sections for text in section)
    return _markdown(f"{subject.company}{subject.period}{words['title']}", sections)


def draw_scores(draw: Draw, quality: dict[str, float], biases: Sequence[float]) -> list[dict[str, float]]:
    """Return the scores of three to five analysts, in halves from 0 to 5."""
    analysts = draw.sample(biases, draw.pick((3, 4, 5)))
    return [_score(draw, quality, bias) for bias in analysts]


def _score(draw: Draw, quality: dict[str, float], bias: float) -> dict[str, float]:
    return {name: _halves(value + bias + draw.normal(0.3)) for name, value in quality.items()}


def _claim(draw: Draw, subject: Subject, figure: Figure, mistake: str, style: str) -> str:
    """Return a sentence on one figure; `mistake` says what is wrong in it."""
    wording, words = _PHRASES["wording"][style], subject.words
    rose = figure.rose != (mistake == "direction")
    factor = draw.uniform(1.08, 1.4) if draw.chance(0.5) else draw.uniform(0.65, 0.93)
    now = round(figure.now * factor, 2) if mistake == "figure" else figure.now
    unit = _PHRASES["wrong_units"][figure.unit] if mistake == "unit" else figure.unit
    template = draw.pick(wording["growth" if figure.amount else "change"])
    return str(
        template.format(
            label=figure.label,
            unit=unit,
            now=now,
            prev=figure.prev,
            rate=figure.growth,
            base=words["base"],
            base_short=words["base_short"],
            turn=wording["turn"]["up" if rose else "down"],
            grew=wording["grew"]["up" if rose else "down"],
        )
    )


def _against_industry(figure: Figure) -> str:
    assert figure.industry is not None, "the first figure of every topic has an industry mean"
    side = "above" if figure.now > figure.industry else "below"
    template: str = _PHRASES["industry"][side]
    return template.format(label=figure.label, industry=figure.industry, unit=figure.unit)


def _markdown(title: str, sections: Sequence[Sequence[str]]) -> str:
    """Return the title and the sections that have text; the first is prose, the others lists."""
    parts = [f"# {title}"]
    kept = [(heading, texts) for heading, texts in zip(_PHRASES["headings"], sections, strict=True) if texts]
    for numeral, (heading, texts) in zip(_NUMERALS, kept, strict=False):
        sentences = [_sentence(text) for text in texts]
        prose = heading == _PHRASES["headings"][0]
        body = "".join(sentences) if prose else "\n".join(f"- {sentence}" for sentence in sentences)
        parts.append(f"## {numeral}、{heading}\n{body}")
    return "\n\n".join(parts)


def _sentence(text: str) -> str:
    return text if text[-1] in _PHRASES["ends"] else text + str(_PHRASES["ends"][0])


def _count(draw: Draw, trials: int, probability: float) -> int:
    return sum(draw.chance(probability) for _ in range(trials))


def _halves(score: float) -> float:
    return min(5.0, max(0.0, int(score * 2 + 0.5) / 2))


def _analyst_biases() -> tuple[float, ...]:
    draw = Draw(f"{SEED}/analysts")
    return tuple(draw.normal(0.15) for _ in range(_ANALYSTS))


def files() -> dict[Path, str]:
    """Return what every generated file holds, by its path."""
    texts = {}
    for split, count in ROWS.items():
        rows = (sample.row for sample in samples(split, count))
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        texts[FOLDER / f"{split}.jsonl"] = "\n".join(lines) + "\n"
    example = next(samples("example", 1)).row
    unscored = {name: example[name] for name in ("system_prompt", "input_data", "report")}
    texts[FOLDER / "example_report.json"] = json.dumps(unscored, ensure_ascii=False, indent=2) + "\n"
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the synthetic rows of financial-reports.yaml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    options = parser.parse_args(arguments)
    differing = 0
    for path, text in files().items():
        same = path.is_file() and path.read_bytes() == text.encode()
        differing += not same
        if options.check:
            print(f"{'unchanged' if same else 'DIFFERS  '} {path.name}")
        else:
            path.write_bytes(text.encode())
            print(f"wrote {path.name}: {len(text.encode()):,} bytes")
    return 1 if options.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
