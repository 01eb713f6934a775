"""What a run learns from and is judged on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import DataUri, DimensionName, LongText, Rule, Section, Text, stays_in_its_place

Format = Literal[
    "Auto",
    "Messages",
    "ShareGPT",
    "Alpaca",
    "PromptCompletion",
    "Preference",
    "Scored",
    "StepLabels",
    "Latent",
    "Text",
    "Prompts",
]


class Fields(Section):
    """Which column of a row holds what; dots reach into objects (`meta.score`)."""

    text: Text | None = None
    """Scored, Text: the column with the whole text, where there are no separate parts."""
    system_prompt: Text | None = None
    """Scored: the instruction the report was written under (default `system_prompt`)."""
    input_data: Text | None = None
    """Scored: the figures the report is about (default `input_data`)."""
    report: Text | None = None
    """Scored: the report itself (default `report`)."""
    scores: Text | None = None
    """Scored: an object of dimension → number, or a list of such objects, one per annotator (default
    `scores`)."""
    dimensions: Annotated[dict[DimensionName, Text], Field(max_length=32)] = Field(default_factory=dict)
    """Scored: a column per dimension, where scores do not stand in one object."""
    prompt: Text | None = None
    """Prompt or instruction."""
    completion: Text | None = None
    """Completion, output or answer."""
    chosen: Text | None = None
    """Preference: the better answer."""
    rejected: Text | None = None
    """Preference: the worse answer."""
    messages: Text | None = None
    """Messages, ShareGPT: the list of turns."""
    steps: Text | None = None
    """StepLabels: the list of steps."""
    labels: Text | None = None
    """StepLabels: the list of labels, one per step."""


class Dataset(Section):
    """Training, validation and test data."""

    train: DataUri
    """Rows to learn from: a JSONL file, or a folder of them; hidden files are not read, gzip is unpacked."""
    eval: DataUri | None = None
    """Rows to validate on while training: choose the best checkpoint, stop early."""
    test: DataUri | None = None
    """Rows that only the final evaluation reads."""
    eval_fraction: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Part of `train` set aside for validation when `eval` is not given."""
    train_fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Part of `train` to use, chosen by the seed: for quick tries and learning curves."""
    format: Format = "Auto"
    """How rows are laid out; `Auto` looks at the first row, and all have to be like it."""
    fields: Fields = Field(default_factory=Fields)
    """Column mapping, where rows do not use the format's own names."""
    template: LongText | None = None
    """Scored: how the parts are joined to one text, with `{system_prompt}`, `{input_data}` and `{report}`; a
    part that it leaves out is not read."""
    chat_template: LongText | None = None
    """Jinja chat template, or the name of a built-in one; default is the tokenizer's own."""
    max_length: Annotated[int, Field(ge=8, le=1_048_576)] = 2048
    """Longest text in tokens. What is over is cut (see `overlong`) and counted."""
    overlong: Literal["Truncate", "Drop", "Fail"] = "Truncate"
    """Truncate: cut the middle of the input data, or the end of a text without parts. Drop: leave the row
    out. Fail: refuse. A report is never cut: a row whose report alone does not fit is refused unless
    `Drop`."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.eval) || self.eval != self.train",
            "spec.dataset.eval: the rows that are learned from; hold out others, or give evalFraction",
        ),
        Rule(
            "!has(self.test) || self.test != self.train",
            "spec.dataset.test: the rows that are learned from; hold out others",
        ),
        Rule(
            "!has(self.eval) || self.evalFraction == 0.0",
            "spec.dataset.evalFraction: not allowed beside spec.dataset.eval; remove one of the two",
        ),
        *(stays_in_its_place(f"spec.dataset.{name}", name) for name in ("train", "eval", "test")),
        Rule(
            "!has(self.template) || self.template.contains('{report}')",
            "spec.dataset.template: has no {report}; the report has to stand somewhere in the text",
        ),
    )
