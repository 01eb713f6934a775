r"""The program itself: a table of verbs, each loaded only when it is called.

To add a verb, write `cli/VERB.py` with one `app = typer.Typer()` and one `@app.command()` (several make it
a group, as `checkpoints`), and add one line to `VERBS`. The command's docstring is its help: one sentence,
then an example below a line with `\b`. Its module may import what it likes except torch; wrong input is
raised as an error of `trainjobs.errors`, and `run_program` prints its line and exits with its code. Machine
output goes through `trainjobs.cli.console`.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

VERBS: Final[dict[str, str]] = {
    "run": "Train on this machine what manifests describe.",
    "validate": "Check manifests, and the data and models that they name.",
    "plan": "Show what a manifest becomes in a cluster, and an estimate.",
    "report": "Write the report of a run anew.",
    "diagnose": "Say what the curves of a run mean, and what to do.",
    "logs": "Show what a run printed, also after its pods are gone.",
    "score": "Score texts with a trained reward model.",
    "evaluate": "Evaluate a trained reward model on a data file.",
    "data": "Turn other files into rows.",
    "pull": "Fetch a run's model, report or checkpoint from storage.",
    "checkpoints": "List, verify and prune checkpoints in storage.",
    "crds": "Print the CustomResourceDefinitions of the four kinds.",
}
"""Verb → what it does, in the order of the help; the module has the verb's name."""

DEBUG: Final = "--debug"


class _Verbs(TyperGroup):
    """A group that knows its verbs by name and help, and imports one when it is called."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # whatever Typer hands its groups
        super().__init__(**settings)
        for verb, text in VERBS.items():
            if find_spec(f"trainjobs.cli.{verb}") is not None:
                self.commands[verb] = TyperCommand(verb, help=text, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  # Typer's own signature
        """Return the verb that `args` begin with, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in VERBS:
            loaded = typer.main.get_command(import_module(f"trainjobs.cli.{name}").app)
            loaded.name = name
            self.commands[name] = command = loaded
        return name, command, rest


app = typer.Typer(
    cls=_Verbs,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trainjobs {version('trainjobs')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show where in the program an error arose.")] = False,
) -> None:
    """One YAML file in, a finished model out.

    \b
    trainjobs validate rmrun.yaml
    trainjobs run rmrun.yaml
    """


def run_program() -> None:
    """Run the command line and exit: 0, or the code of the error as `trainjobs.errors` lists them."""
    from trainjobs.cli.console import error_line, fail, hide_traces
    from trainjobs.errors import TrainjobsError, UsageError
    from trainjobs.printing import lost_output, survive

    survive()
    # Wherever it stands: people add it to the end of the line that failed.
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    debugging = len(arguments) < len(sys.argv) - 1
    if not debugging:
        hide_traces()
    try:
        # Not `app(…)`, which would put Typer's own traces in place of ours.
        typer.main.get_command(app)(args=arguments, prog_name="trainjobs")
    except SystemExit as end:
        lost = lost_output()
        if lost is None:
            raise
        error_line(f"error: standard output: {lost.strerror}; what was to be printed there is incomplete")
        # A run that has done its work has done it, whoever could not be told.
        raise SystemExit(end.code or (0 if arguments[:1] == ["run"] else 1)) from None
    except TrainjobsError as error:
        if debugging:
            raise
        fail(error)
    except OSError as error:
        # A path that the user gave: everything else is told by who knows what was meant.
        if debugging or error.filename is None:
            raise
        fail(UsageError(f"{error.filename}: cannot be used here ({error.strerror}); give another path"))
