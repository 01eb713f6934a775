"""What one has to know of the rows of a run, in sentences: cut, left out, learned from, agreed on."""

from trainjobs.ml.evaluation.results import EvaluationResult
from trainjobs.ml.evaluation.run_files import RunFiles


def notes_of(result: EvaluationResult) -> list[str]:
    """What one has to know of the judged rows besides their number: cut, left out, or learned from."""
    data = result.data
    cuts = _too_long("judged", data.truncated, data.truncated_tokens, data.dropped)
    return [
        *([cuts] if data.truncated or data.dropped else []),
        *([repeats_of(result)] if data.repeated else []),
    ]


def repeats_of(result: EvaluationResult) -> str:
    """How many judged rows have a text that was learned from, in one sentence."""
    data = result.data
    if data.repeated is None:
        return ""
    if not data.repeated:
        return "No text that was judged was learned from."
    return f"Of {data.rows:,} rows judged, {data.repeated:,} have a text that was learned from, too."


def training_cuts(files: RunFiles) -> str:
    """What became of the training texts that were too long; empty where all fitted."""
    cut, tokens, dropped = (_count(files, name) for name in ("rowsCut", "tokensCut", "rowsDropped"))
    return _too_long("learned from", cut, tokens, dropped) if cut or dropped else ""


def cuts_of(files: RunFiles) -> str:
    """What became of texts that were too long, in training and in the evaluation."""
    learned = _too_long(
        "learned from", *(_count(files, name) for name in ("rowsCut", "tokensCut", "rowsDropped"))
    )
    if files.result is None:
        return learned
    data = files.result.data
    return f"{learned} {_too_long('judged', data.truncated, data.truncated_tokens, data.dropped)}".strip()


def _too_long(what: str, cut: int, tokens: int, dropped: int) -> str:
    """What became of texts longer than `maxLength`, in one sentence."""
    if not cut and not dropped:
        return f"Of the texts {what}, every one fitted."
    parts = [f"{cut:,} were cut, by {tokens:,} tokens in all"] if cut else []
    parts += [f"{dropped:,} were too long and left out"] if dropped else []
    return f"Of the texts {what}, {' and '.join(parts)}."


def _count(files: RunFiles, name: str) -> int:
    value = files.stats.get(name, 0)
    return value if isinstance(value, int) else 0
