"""What a program asks a model, made into what the model was taught to read."""

from collections.abc import Mapping

from trainjobs.api.dataset import Fields
from trainjobs.errors import InvalidData
from trainjobs.ml.data.columns import MISSING, PARTS, Columns, look_up, read_text
from trainjobs.ml.data.json_values import fault_in
from trainjobs.ml.data.jsonl import Line
from trainjobs.ml.data.text import ReportParts, ScoredText
from trainjobs.ml.modeling.cards import RegressionCard


def asked_text(given: ScoredText | Mapping[str, object], name: str, config: RegressionCard) -> ScoredText:
    """Return the text to score.

    Args:
        given: a text, the parts of a report, or a row, laid out as in training or in the reports format.
        name: of the text, as messages begin.
        config: of the model.

    Raises:
        InvalidData: it is no text, or has parts that the model learned without; names it.
    """
    match given:
        case Mapping():
            row = Line(name, dict(given))
            return read_text(row, _columns(row, config))
        case ReportParts():
            values: dict[str, object] = {part: getattr(given, part) for part in PARTS}
            for part, value in values.items():
                if part not in config.parts and value not in ("", None):
                    raise InvalidData(f"{name}: {part}: the model learned without it; leave it out")
        case str():
            values = {"the text": given}
        case _:
            raise TypeError(f"{name} is a {type(given).__name__}; give a text, ReportParts or a dict")
    for part, value in values.items():
        if (fault := fault_in(value, part)) is not None:
            raise InvalidData(f"{name}: {fault}")
    return given


def _columns(row: Line, config: RegressionCard) -> Columns:
    own = config.columns
    if all(look_up(row.row, path) is MISSING for path in own.paths.values()):
        return Columns.known(config.parts, Fields(), config.template, own.like)
    return own
