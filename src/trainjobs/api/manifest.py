"""Manifests: text in, runs out, and everything that is wrong with them at once.

The refusals are those of an API server that has the CRDs: the same fields, bounds and rules.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trainjobs.api.base import Section
from trainjobs.api.labels import API_VERSION
from trainjobs.api.metadata import BOOKKEEPING, Bookkeeping, ObjectMeta
from trainjobs.api.objects import PassedOver, is_foreign, objects, own_problems, passed_over
from trainjobs.api.overrides import override
from trainjobs.api.problems import Problem, closest, dotted, problems, shown
from trainjobs.api.rules import Path, Violation, sections, violations
from trainjobs.api.runs import BY_KIND, Run
from trainjobs.api.yaml_documents import Document, YamlProblem, documents
from trainjobs.errors import InvalidRecipe


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a manifest: the file, the place in it, and the words."""

    source: str
    place: str
    path: str
    message: str

    def __str__(self) -> str:
        where = " ".join(filter(None, (self.source, self.place)))
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file holds: the runs that are right, all that is wrong, and what is none of ours."""

    runs: tuple[Run, ...]
    faults: tuple[Fault, ...]
    passed_over: tuple[PassedOver, ...] = ()


def read(text: str, source: str, overrides: Sequence[str] = ()) -> tuple[Run, ...]:
    """Return the runs of a file.

    Args:
        text: the file's text, one or more YAML documents.
        source: its name, for messages.
        overrides: `path=value`, applied to every run.

    Raises:
        InvalidRecipe: something is wrong; the message has one line for each thing that is.
        UsageError: an override cannot be applied.
    """
    reading = check(text, source, overrides)
    if reading.faults:
        raise InvalidRecipe("\n".join(map(str, reading.faults)))
    return reading.runs


def check(text: str, source: str, overrides: Sequence[str] = ()) -> Reading:
    """Return the runs of a file, and what is wrong with it; arguments and errors as of `read`."""
    runs: list[Run] = []
    faults: list[Fault] = []
    others: list[PassedOver] = []
    try:
        for document in documents(text):
            faults += [_fault(Problem(*problem), document, source) for problem in own_problems(document)]
            for one in objects(document):
                if isinstance(one.value, dict) and is_foreign(one.value):
                    others.append(passed_over(one, source))
                    continue
                run, wrong = _run(one, source, overrides)
                faults += wrong
                runs += [run] if run is not None and not wrong else []
    except YamlProblem as error:
        faults.append(Fault(source, f"line {error.line}", "", error.message))
    if not runs and not faults:
        held = f", only {', '.join(sorted({other.kind for other in others}))}" if others else ""
        faults.append(
            Fault(source, "", "", f"holds no run{held}; write one, with apiVersion, kind, metadata and spec")
        )
    return Reading(tuple(runs), tuple(faults), tuple(others))


def _run(document: Document, source: str, overrides: Sequence[str]) -> tuple[Run | None, list[Fault]]:
    for assignment in overrides if isinstance(document.value, dict) else ():
        document = override(document, assignment)
    run, wrong = _judged(document)
    wrong.sort(key=lambda problem: document.line(problem.path))
    return run, [_fault(problem, document, source) for problem in wrong]


def change_problems(old: Run, new: Run) -> list[Problem]:
    """Return why an API server would refuse to turn `old` into `new`."""
    before, after = (_plain(run) for run in (old, new))
    return [_of_rule(violation) for violation in violations(type(new), after, before)]


def _judged(document: Document) -> tuple[Run | None, list[Problem]]:
    found = [Problem(path, message) for _, path, message in document.problems]
    body = document.value
    if not isinstance(body, dict):
        return None, [
            *found,
            Problem((), f"{shown(body)} is not a run; write apiVersion, kind, metadata and spec"),
        ]
    kind, wrong = _kind(body)
    if kind is None:
        return None, [*found, *wrong]
    wrong += _bookkeeping_problems(body)
    body = _as_written_by_people(body, kind)
    wrong += _name_problem(body)
    try:
        run = kind.model_validate_json(json.dumps(body), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        named = {problem.path for problem in (*found, *wrong)}
        wrong += [problem for problem in problems(error, kind, body) if problem.path not in named]
        wrong += map(_of_rule, _rules_of_sound_parts(kind, body, ()))
        return None, [*found, *wrong]
    return run, [*found, *wrong, *map(_of_rule, violations(kind, _plain(run)))]


def _kind(body: Mapping[str, Any]) -> tuple[type[Run] | None, list[Problem]]:
    wrong = []
    version, kind = body.get("apiVersion"), body.get("kind")
    if version != API_VERSION:
        words = "is missing; add it:" if version is None else f"{shown(version)} is not allowed; give"
        wrong.append(Problem(("apiVersion",), f"{words} {API_VERSION}"))
    if isinstance(kind, str) and kind in BY_KIND:
        return BY_KIND[kind], wrong
    words = "is missing; add it:" if kind is None else f"{shown(kind)} is not known;"
    guess = closest(str(kind), BY_KIND)
    advice = f"did you mean {guess}?" if guess else f"give one of {', '.join(BY_KIND)}"
    return None, [
        *wrong,
        Problem(("kind",), f"{words} {advice if kind is not None else ' or '.join(BY_KIND)}"),
    ]


def _as_written_by_people(body: Mapping[str, Any], kind: type[Run]) -> dict[str, Any]:
    """Take away what an API server takes away: status, its own metadata, and fields that hold null."""
    given = {name: value for name, value in body.items() if name not in ("status", "apiVersion")}
    if isinstance(metadata := given.get("metadata"), dict):
        given["metadata"] = {k: v for k, v in metadata.items() if k not in BOOKKEEPING}
    return _without_null(given, kind)


def _bookkeeping_problems(body: Mapping[str, Any]) -> list[Problem]:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return []
    kept = _without_null({name: held for name, held in metadata.items() if name in BOOKKEEPING}, Bookkeeping)
    try:
        Bookkeeping.model_validate_json(json.dumps(kept), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        found = problems(error, Bookkeeping, kept)
        return [Problem(("metadata", *problem.path), problem.message) for problem in found]
    return []


def _without_null(value: Mapping[str, Any], model: type[Section]) -> dict[str, Any]:
    inner = sections(model)
    known = {field.alias for field in model.model_fields.values()}
    cleaned: dict[str, Any] = {}
    for name, held in value.items():
        if held is None and name in known:
            continue
        if (section := inner.get(name)) and isinstance(held, dict):
            held = _without_null(held, section)
        elif section and isinstance(held, list):
            held = [_without_null(item, section) if isinstance(item, dict) else item for item in held]
        cleaned[name] = held
    return cleaned


def _name_problem(body: Mapping[str, Any]) -> list[Problem]:
    """Judge the name by its rule: Kubernetes has no schema for it, so the rule's are the words there, too."""
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        return []
    found = violations(_Named, {"metadata": {"name": name}})
    return [Problem(("metadata", "name"), _of_rule(violation).message) for violation in found]


class _Named(Section):
    rules = Run.rules


def _rules_of_sound_parts(model: type[Section], value: Mapping[str, Any], path: Path) -> Iterator[Violation]:
    """Yield broken rules of those sections that can be read, where the whole cannot."""
    for name, inner in sections(model).items():
        held = value.get(name)
        items = [((*path, name), held)] if isinstance(held, dict) else []
        if isinstance(held, list):
            items = [
                ((*path, name, index), item) for index, item in enumerate(held) if isinstance(item, dict)
            ]
        for below, item in items:
            if inner is ObjectMeta:
                continue
            try:
                sound = inner.model_validate_json(json.dumps(item), strict=True, by_alias=True, by_name=False)
            except ValidationError:
                yield from _rules_of_sound_parts(inner, item, below)
            else:
                yield from violations(inner, _plain(sound), path=below)


def _plain(section: Section) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, exclude_none=True)


def _of_rule(violation: Violation) -> Problem:
    """Take the place off the front of a rule's message where it only repeats the path."""
    place, colon, words = violation.message.partition(": ")
    if not colon or " " in place:
        return Problem(violation.path, violation.message)
    if place.startswith(("spec.", "metadata.")):
        return Problem(_narrowed(violation.path, place), words)
    # A section that stands at several places names its own field only.
    return Problem((*violation.path, place), words)


def _narrowed(path: Path, place: str) -> Path:
    """Return the more exact of a rule's path, which knows the index in a list, and the place it names."""
    named = tuple(place.split("."))
    within = tuple(step for step in path if isinstance(step, str))
    return (*path, *named[len(within) :]) if named[: len(within)] == within else path


def _fault(problem: Problem, document: Document, source: str) -> Fault:
    return Fault(source, document.place(problem.path), dotted(problem.path), str(problem))
