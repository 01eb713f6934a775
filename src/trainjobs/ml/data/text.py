"""How the parts of a report become one text, and one text the tokens that a model reads.

Training and scoring both go through here, so that a model is asked as it was taught.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from trainjobs.errors import InvalidRecipe

DEFAULT_TEMPLATE: Final = (
    "{system_prompt}\n\n<input_data>\n{input_data}\n</input_data>\n\n<report>\n{report}\n</report>"
)
"""Used where `dataset.template` is not given."""

_PLACEHOLDER = re.compile(r"\{(system_prompt|input_data|report)\}")
_CUT_IN_ORDER: Final = ("input_data", "system_prompt")
"""What may be cut, and in which order; the report and the template's own words never are."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReportParts:
    """The three texts that a reward model for reports judges together."""

    report: str
    system_prompt: str = ""
    input_data: object = ""
    """A text, or anything JSON can hold: that is written as indented JSON, one figure a line."""


ScoredText = ReportParts | str
"""What gets a score: a report with its parts, or a text on its own."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as the model reads it."""

    input_ids: list[int]
    """Special tokens included, never more than the longest length where `fits`."""
    cut: int = 0
    """Tokens left out of it."""
    fits: bool = True
    """False when even what must be kept is longer than allowed; `input_ids` then holds just that."""


class Tokenizer(Protocol):
    """As much of a fast tokenizer of `transformers` as is used here."""

    is_fast: bool

    def __call__(self, text: list[str], **options: Any) -> Any:  # noqa: D102, ANN401
        ...


def join(parts: ReportParts, template: str) -> tuple[str, dict[str, Span]]:
    """Return the text of the parts and where in it (characters, end excluded) each part stands.

    Placeholders are replaced literally and once: braces inside the parts mean nothing. A
    placeholder that stands twice is filled twice; the span is the last one's.
    """
    values = {
        "system_prompt": parts.system_prompt,
        "input_data": data_text(parts.input_data),
        "report": parts.report,
    }
    pieces: list[str] = []
    spans: dict[str, Span] = {}
    length = 0
    for index, piece in enumerate(_PLACEHOLDER.split(template)):
        text = values[piece] if index % 2 else piece
        if index % 2:
            spans[piece] = (length, length + len(text))
        pieces.append(text)
        length += len(text)
    return "".join(pieces), spans


def data_text(data: object) -> str:
    """Return input data as text: a text as it is, anything else as indented JSON."""
    if isinstance(data, str):
        return data
    return json.dumps(data, ensure_ascii=False, indent=2)


class TextEncoder:
    """Texts → token ids, cut to the longest length where they have to be.

    Of a report's parts the middle of the input data is cut, then the middle of the system
    prompt; of a text on its own the end. Special tokens stay.
    """

    def __init__(self, tokenizer: Tokenizer, template: str | None, max_length: int) -> None:
        if not tokenizer.is_fast:
            raise InvalidRecipe(
                "spec.baseModel: its tokenizer has no tokenizer.json; convert it to a fast tokenizer first"
            )
        self._tokenizer = tokenizer
        self._template = template or DEFAULT_TEMPLATE
        self._max_length = max_length

    def encode(self, texts: Sequence[ScoredText]) -> list[Encoded]:
        """Encode a batch of texts; some hundreds at once are fastest."""
        joined = [
            join(text, self._template) if isinstance(text, ReportParts) else (text, None) for text in texts
        ]
        ids = self._tokenize([text for text, _ in joined])["input_ids"]
        return [
            Encoded(list(row)) if len(row) <= self._max_length else self._shorten(text, spans)
            for row, (text, spans) in zip(ids, joined, strict=True)
        ]

    def _tokenize(self, texts: list[str], **options: bool) -> Any:  # noqa: ANN401
        if not texts:
            return {"input_ids": []}
        return self._tokenizer(
            texts,
            truncation=False,
            padding=False,
            verbose=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            **options,
        )

    def _shorten(self, text: str, spans: dict[str, Span] | None) -> Encoded:
        row = self._tokenize([text], return_offsets_mapping=True, return_special_tokens_mask=True)
        ids = list(row["input_ids"][0])
        places = [
            None if special else span
            for span, special in zip(row["offset_mapping"][0], row["special_tokens_mask"][0], strict=True)
        ]
        excess = len(ids) - self._max_length
        left_out = set(_to_cut(places, spans, excess))
        kept = [token for index, token in enumerate(ids) if index not in left_out]
        return Encoded(kept, cut=len(left_out), fits=len(left_out) == excess)


def _to_cut(places: Sequence[Span | None], spans: dict[str, Span] | None, excess: int) -> Iterator[int]:
    """Yield the indices of at most `excess` tokens to leave out; places: characters, None if special."""
    if spans is None:
        own = [index for index, place in enumerate(places) if place is not None]
        yield from own[len(own) - min(excess, len(own)) :]
        return
    for part in _CUT_IN_ORDER:
        start, end = spans.get(part, (0, 0))
        inside = [i for i, p in enumerate(places) if p is not None and start <= p[0] < p[1] <= end]
        count = min(excess, len(inside))
        first = (len(inside) - count) // 2
        yield from inside[first : first + count]
        excess -= count
