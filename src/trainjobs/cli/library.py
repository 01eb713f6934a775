"""What the training library declares, read from its source: loading it takes seconds, and torch."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from trainjobs.api.manifest import Fault
from trainjobs.api.runs import Run
from trainjobs.core.recipe.extra_arguments import Kinds, faults
from trainjobs.errors import InvalidRecipe

LIBRARY = "transformers"


def argument_faults(run: Run, manifest: Path) -> Iterator[tuple[int, Fault]]:
    """Yield what the installed library does not take of a run's extra arguments, each with its exit code."""
    extra = run.spec.training.extra_arguments
    known = library_arguments() if extra and not run.spec.runtime.command else None
    if known is None:
        return
    for words in faults(extra, known, f"{LIBRARY} {metadata.version(LIBRARY)}"):
        path, _, _ = words.partition(": ")
        yield InvalidRecipe.exit_code, Fault(str(manifest), "", path, words)


@cache
def library_arguments() -> dict[str, Kinds] | None:
    """Return the arguments of the library's trainer and their types; None where it is not installed."""
    spec = find_spec(LIBRARY)
    if spec is None or spec.origin is None:
        return None
    source = Path(spec.origin).with_name("training_args.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments":
            return {
                field.target.id: frozenset(_kinds(field.annotation))
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
    return None


def _kinds(annotation: ast.expr) -> Iterator[str]:
    match annotation:
        case ast.BinOp(left=left, right=right):
            yield from _kinds(left)
            yield from _kinds(right)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            for one in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield type(ast.literal_eval(one)).__name__
        case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name):
            yield name
        case ast.Constant(value=None):
            yield "None"
        case _:
            # Whatever it is, the library itself will say when it is given.
            yield "Any"
