"""How an evaluation of scores is shown and put into words."""

from collections.abc import Mapping, Sequence
from typing import Final

from trainjobs.api.figures import OVERALL, SCORES, FigureKind
from trainjobs.core.diagnosis import EvaluationFacts, Finding
from trainjobs.core.diagnosis.weak_correlation import WEAK
from trainjobs.ml.evaluation.baselines import LENGTH, MEAN
from trainjobs.ml.evaluation.families.protocol import Other, Verdict
from trainjobs.ml.evaluation.families.scores.facts import loss_scale, scores_facts
from trainjobs.ml.evaluation.report.blocks import Example, Examples, Gallery
from trainjobs.ml.evaluation.results import ANNOTATOR, DimensionDetails, EvaluationResult, Group
from trainjobs.ml.evaluation.run_files import RunFiles

WORST: Final = 10


class ScoresFamily:
    """Named scores, and the overall score of them."""

    kinds: Final[Sequence[FigureKind]] = SCORES
    others: Final[Mapping[str, Other]] = {
        MEAN: Other("predicting the mean", "mean only"),
        LENGTH: Other("length of the text alone", "length only"),
        ANNOTATOR: Other("one annotator, against the others", "one annotator"),
    }

    def about(self, result: EvaluationResult, group: Group) -> str:
        """Return the range of a dimension's scores."""
        one = _details(result, group.name)
        return f"from {one.minimum:g} to {one.maximum:g}"

    def ceiling(self, result: EvaluationResult, group: Group) -> str:
        """Return the correlation that a perfect model would reach, as far as the annotators agree."""
        raters = _details(result, group.name).raters
        return f"{raters.ceiling:.3f}" if raters and raters.ceiling is not None else ""

    def verdict(self, result: EvaluationResult, findings: Sequence[Finding]) -> Verdict:
        """Judge by the overall score's correlation and by what was found of single dimensions."""
        codes = {finding.code for finding in findings if finding.severity == "Warning"}
        pearson = _overall(result).figures["pearson"].value
        if pearson is None or pearson < WEAK or codes & {"WeakCorrelation", "HighError"}:
            return Verdict("Fair", "Use with care", _sentence(result))
        return Verdict("Good", "Usable", _sentence(result))

    def notes(self, result: EvaluationResult) -> str:
        """Say how far a model can come with scores on which annotators differ."""
        raters = result.details.overall.raters
        if raters is None:
            return ""
        text = f"{raters.rows:,} rows have several annotators, {raters.ratings_per_row:.1f} each on average."
        if raters.reliability is None or raters.ceiling is None:
            return f"{text} Their reliability is not known: {raters.reason}."
        return (
            f"{text} The mean of their scores has a reliability of {raters.reliability:.2f} (ICC(1,k)), "
            f"so a perfect model would reach a Pearson correlation of about {raters.ceiling:.2f}."
        )

    def gallery(self, files: RunFiles, result: EvaluationResult) -> Gallery | None:
        """Show predicted against true scores."""
        if not files.predictions:
            return None
        # Plots take a second to import; tables of figures do without.
        from trainjobs.ml.evaluation.families.scores.pictures import pictures

        note = "Dashed: where model and annotators agree. Orange: the mean difference."
        return Gallery("Predicted and true scores", list(pictures(files.predictions, result)), note)

    def examples(self, files: RunFiles) -> Examples | None:
        """Show the rows whose overall score is furthest off, the furthest first."""
        rows = sorted(files.predictions, key=lambda row: -abs(row.predicted[OVERALL] - row.true[OVERALL]))
        if not rows:
            return None
        shown = [
            Example(
                row.where,
                [
                    f"{row.true[OVERALL]:.2f}",
                    f"{row.predicted[OVERALL]:.2f}",
                    f"{row.predicted[OVERALL] - row.true[OVERALL]:+.2f}".replace("-", "−"),
                ],
                row.excerpt,
            )
            for row in rows[:WORST]
        ]
        return Examples("Furthest off", ["annotators", "model", "difference"], shown)

    def facts(self, files: RunFiles, result: EvaluationResult) -> EvaluationFacts:
        """Return what was found of every dimension."""
        return scores_facts(files, result)

    def loss_scale(self, files: RunFiles, result: EvaluationResult) -> float:
        """Return the loss of predicting the mean, in the unit of the curves."""
        return loss_scale(files, result)


SCORES_FAMILY: Final = ScoresFamily()


def _details(result: EvaluationResult, name: str) -> DimensionDetails:
    details = result.details
    return next(one for one in (details.overall, *details.dimensions) if one.name == name)


def _overall(result: EvaluationResult) -> Group:
    """The group of the overall score, or of the only dimension, which says the same."""
    return result.groups[0]


def _sentence(result: EvaluationResult) -> str:
    rows = f"{result.data.rows:,} rows it has not seen"
    if result.data.split == "eval":
        rows = f"the {result.data.rows:,} validation rows, which also chose the checkpoint"
    sentence = f"On {rows}, {_correlation(_overall(result))}, and {_error(result)}."
    return f"{sentence} {_weakest(result)}".strip()


def _weakest(result: EvaluationResult) -> str:
    """Which dimension follows the annotators least, where there are several."""
    dimensions = [result.group(one.name) for one in result.details.dimensions]
    if len(dimensions) < 2:
        return ""
    one = min(dimensions, key=lambda each: _pearson(each, missing=-2.0))
    if one.figures["pearson"].value is None:
        return f"The weakest dimension is {one.name}, without any correlation."
    return f"The weakest dimension is {one.name}, with a correlation of {_pearson(one, missing=0.0):.2f}."


def _pearson(one: Group, *, missing: float) -> float:
    value = one.figures["pearson"].value
    return missing if value is None else value


def _correlation(overall: Group) -> str:
    figure = overall.figures["pearson"]
    if figure.value is None:
        return f"its scores have no correlation with the annotators' ({figure.reason})"
    interval = f" ({figure.low:.2f} to {figure.high:.2f})" if figure.low is not None else ""
    return f"its scores correlate with the annotators' by {figure.value:.2f}{interval}"


def _error(result: EvaluationResult) -> str:
    overall, scale = _overall(result), result.details.overall
    mae = overall.figures["mae"].value or 0.0
    text = f"they are off by {mae:.2f} on a scale from {scale.minimum:g} to {scale.maximum:g}"
    baseline = overall.compared.get(MEAN, {}).get("mae")
    if baseline is None or not baseline.value:
        return text
    change = 1.0 - mae / baseline.value
    compared = "less" if change >= 0 else "more"
    return f"{text}: {abs(change):.0%} {compared} than always predicting the mean"
