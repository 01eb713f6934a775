"""What a trained model needs besides its weights, kept in its folder as `trainjobs.json`."""

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationError
from pydantic_core import from_json

from trainjobs.api.base import Section
from trainjobs.api.dataset import Fields
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import ModelNotFound
from trainjobs.ml.data.columns import Columns, Part

CARD_FILE: Final = "trainjobs.json"
FORMAT: Final = 2
"""Version of the file's format. The first had no `type`: all were of Regression."""


class Normalization(Section):
    """How the model's outputs become scores: `score = output * scale + center`, per dimension."""

    kind: Literal["None", "Range", "Standard"]
    center: list[float]
    """None: 0. Range: the dimension's minimum. Standard: the mean of the training rows."""
    scale: list[Annotated[float, Field(gt=0.0)]]
    """None: 1. Range: maximum - minimum. Standard: the deviation of the training rows."""


class Card(Section, Exchanged):
    """What is known of every trained model."""

    beyond: ClassVar[Beyond] = "Refused"

    format: int = FORMAT
    type: str
    """The task that it was trained for."""
    base_model: str
    """URI of the base model."""
    base_path: str | None = None
    """Where the base model lay when the model was trained; an adapter's folder needs it to be loaded."""
    max_length: int
    """Longest text in tokens, special ones included."""
    head_dropout: float | None = None
    """Dropout before the head where the recipe asked for one."""

    @property
    def names(self) -> list[str]:
        """Names of the model's outputs, in their order."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write `trainjobs.json` into a model's folder."""
        target = folder / CARD_FILE
        aside = target.with_suffix(".tmp")
        aside.write_text(self.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
        aside.replace(target)


class RegressionCard(Card):
    """How texts become the model's inputs, and its outputs scores."""

    type: Literal["Regression"] = "Regression"
    dimensions: list[ScoreDimension]
    """In the order of the model's outputs."""
    normalization: Normalization
    template: str
    """How the parts of a report are joined to one text (`trainjobs.ml.data.text`)."""
    fields: Fields = Field(default_factory=Fields)
    """Where the training rows held texts and scores."""
    parts: Annotated[list[Part], Field(min_length=1)]
    """What of a text the training rows had: `text` alone, or the parts of a report."""
    overlong: Literal["Truncate", "Drop", "Fail"]
    """What training did with longer ones; scoring cuts them as `Truncate` does."""

    @property
    def columns(self) -> Columns:
        """Where rows hold their texts, as the training rows did."""
        return Columns.known(self.parts, self.fields, self.template, "the rows that the model learned from")

    @property
    def names(self) -> list[str]:
        """Names of the dimensions, in the order of the model's outputs."""
        return [dimension.name for dimension in self.dimensions]

    @property
    def weights(self) -> list[float]:
        """The dimensions' weights; they need not sum to 1."""
        return [dimension.weight for dimension in self.dimensions]


CARDS: Final[dict[str, type[Card]]] = {"Regression": RegressionCard}
"""The card of each task whose model has one."""


def load_card(folder: Path) -> Card:
    """Read the card of a model's folder. ModelNotFound when it is not there or not readable."""
    path = folder / CARD_FILE
    if not path.is_file():
        raise ModelNotFound(f"{folder} holds no {CARD_FILE}: give the `model` folder of a model trained here")
    try:
        document = from_json(path.read_bytes())
    except ValueError as error:
        raise ModelNotFound(f"{path}: not JSON: {error}") from error
    named = document.get("type", "Regression") if isinstance(document, dict) else None
    if not isinstance(named, str) or named not in CARDS:
        raise ModelNotFound(f"{path}: type {named} is not known to this trainjobs; upgrade it")
    try:
        card = CARDS[named].from_document(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelNotFound(f"{path}: {where}: {first['msg']}") from error
    if card.format > FORMAT:
        raise ModelNotFound(f"{path}: format {card.format} is newer than this trainjobs; upgrade it")
    return card
