"""What a trained reward model needs besides its weights, kept in its folder as `trainjobs.json`."""

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationError

from trainjobs.api.base import Section
from trainjobs.api.dataset import Fields
from trainjobs.api.exchanged import Beyond, Exchanged
from trainjobs.api.objective import ScoreDimension
from trainjobs.errors import ModelNotFound
from trainjobs.ml.data.columns import Columns, Part

SCORING_CONFIG: Final = "trainjobs.json"
FORMAT: Final = 1
"""Version of the file's format."""


class Normalization(Section):
    """How the model's outputs become scores: `score = output * scale + center`, per dimension."""

    kind: Literal["None", "Range", "Standard"]
    center: list[float]
    """None: 0. Range: the dimension's minimum. Standard: the mean of the training rows."""
    scale: list[Annotated[float, Field(gt=0.0)]]
    """None: 1. Range: maximum - minimum. Standard: the deviation of the training rows."""


class ScoringConfig(Section, Exchanged):
    """How texts become the model's inputs, and its outputs scores."""

    beyond: ClassVar[Beyond] = "Refused"

    format: int = FORMAT
    dimensions: list[ScoreDimension]
    """In the order of the model's outputs."""
    normalization: Normalization
    template: str
    """How the parts of a report are joined to one text (`trainjobs.ml.data.text`)."""
    fields: Fields = Field(default_factory=Fields)
    """Where the training rows held texts and scores."""
    parts: Annotated[list[Part], Field(min_length=1)]
    """What of a text the training rows had: `text` alone, or the parts of a report."""
    max_length: int
    """Longest text in tokens, special ones included."""
    overlong: Literal["Truncate", "Drop", "Fail"]
    """What training did with longer ones; scoring cuts them as `Truncate` does."""
    head_dropout: float | None = None
    """Dropout before the head where the recipe asked for one."""
    base_model: str
    """URI of the base model."""
    base_path: str | None = None
    """Where the base model lay when the model was trained; an adapter's folder needs it to be loaded."""

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

    def save(self, folder: Path) -> None:
        """Write `trainjobs.json` into a model's folder."""
        target = folder / SCORING_CONFIG
        aside = target.with_suffix(".tmp")
        aside.write_text(self.model_dump_json(indent=2, by_alias=True) + "\n", encoding="utf-8")
        aside.replace(target)

    @classmethod
    def load(cls, folder: Path) -> "ScoringConfig":
        """Read it from a model's folder. ModelNotFound when it is not there or not readable."""
        path = folder / SCORING_CONFIG
        if not path.is_file():
            raise ModelNotFound(
                f"{folder} holds no {SCORING_CONFIG}: give the `model` folder of a reward model trained here"
            )
        try:
            config = cls.from_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise ModelNotFound(f"{path}: {where}: {first['msg']}") from error
        if config.format > FORMAT:
            raise ModelNotFound(f"{path}: format {config.format} is newer than this trainjobs; upgrade it")
        return config
