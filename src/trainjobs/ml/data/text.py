"""How the parts of a report become one text, and one text the tokens that a model reads.

Training and scoring both go through here, so that a model is asked as it was taught.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from trainjobs.errors import InvalidRecipe

DEFAULT_TEMPLATE: Final = (
    "{system_prompt}\n\n<input_data>\n{input_data}\n</input_data>\n\n<report>\n{report}\n</report>"
)
"""Used where `dataset.template` is not given."""

_PLACEHOLDER = re.compile(r"\{(system_prompt|input_data|report)\}")
_CUT_IN_ORDER: Final = ("input_data", "system_prompt")
"""What may be cut, and in which order; the report and the template's own words never are."""

LONGEST: Final = 4 * 2**20
"""Characters of a text that is still tokenised, which takes some hundred bytes of memory for each."""
_BATCH: Final = 512
"""Texts tokenised at once: enough for the tokenizer's threads, few enough to hold."""

Span = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportParts:
    """The three texts that a reward model for reports judges together, given by name."""

    report: str
    system_prompt: str = ""
    input_data: object = ""
    """A text, or anything JSON can hold: that is written as indented JSON, one figure a line. None: no
    data."""


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
    characters: int = 0
    """Of a text that is too long to be tokenised at all, which then has no `input_ids`."""

    @property
    def length(self) -> int:
        """Tokens of the whole text."""
        return len(self.input_ids) + self.cut

    def excess(self, limit: int) -> str:
        """Say how much longer a text, or what may not be cut of it, is than `limit` tokens."""
        if self.characters:
            return f"{self.characters:,} characters, more than the {LONGEST:,} that a text may have"
        if self.fits:
            return f"{self.length:,} tokens, more than maxLength {limit:,}"
        return (
            f"the report and the template's own words are {len(self.input_ids):,} tokens, more than maxLength"
            f" {limit:,}, and never cut"
        )


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


def placeholders(template: str) -> set[str]:
    """Names of the parts that a template asks for."""
    return set(_PLACEHOLDER.findall(template))


def data_text(data: object) -> str:
    """Return input data as text: a text as it is, None as none, anything else as indented JSON."""
    if isinstance(data, str):
        return data
    return "" if data is None else json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False)


def characters(text: ScoredText, template: str) -> int:
    """Length of a text, its parts joined."""
    return len(join(text, template)[0]) if isinstance(text, ReportParts) else len(text)


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
        self.template = template or DEFAULT_TEMPLATE
        self.max_length = max_length
        """Longest text in tokens, special ones included."""

    def encode(self, texts: Sequence[ScoredText]) -> list[Encoded]:
        """Encode texts, in their order."""
        return [encoded for _, encoded in self.encode_each(texts, lambda text: text)]

    def encode_each(
        self, rows: Iterable[T], text_of: Callable[[T], ScoredText]
    ) -> Iterator[tuple[T, Encoded]]:
        """Encode the texts of rows as they are asked for: some hundreds at once, never LONGEST together."""
        batch: list[tuple[T, _Joined]] = []
        characters = 0
        for row in rows:
            joined = _Joined.of(text_of(row), self.template)
            if batch and (len(batch) == _BATCH or characters + len(joined.text) > LONGEST):
                yield from self._encode_batch(batch)
                batch, characters = [], 0
            batch.append((row, joined))
            characters += len(joined.text)
        yield from self._encode_batch(batch)

    def _encode_batch(self, batch: Sequence[tuple[T, "_Joined"]]) -> Iterator[tuple[T, Encoded]]:
        ids = iter(self._tokenize([joined.text for _, joined in batch if not joined.is_huge])["input_ids"])
        for row, joined in batch:
            if joined.is_huge:
                yield row, Encoded([], fits=False, characters=len(joined.text))
                continue
            own = list(next(ids))
            yield (
                row,
                Encoded(own) if len(own) <= self.max_length else self._shorten(joined.text, joined.spans),
            )

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
        excess = len(ids) - self.max_length
        left_out = set(_to_cut(places, spans, excess))
        kept = [token for index, token in enumerate(ids) if index not in left_out]
        return Encoded(kept, cut=len(left_out), fits=len(left_out) == excess)


@dataclass(frozen=True, slots=True)
class _Joined:
    """A text, and where its parts stand in it."""

    text: str
    spans: dict[str, Span] | None

    @classmethod
    def of(cls, text: ScoredText, template: str) -> "_Joined":
        return cls(*join(text, template)) if isinstance(text, ReportParts) else cls(text, None)

    @property
    def is_huge(self) -> bool:
        return len(self.text) > LONGEST


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
