"""One verb of the command line, asked within this process."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner, Result

from trainjobs.cli.app import app
from trainjobs.errors import TrainjobsError


@dataclass(frozen=True)
class Verb:
    """A verb by its name."""

    name: str

    def run(self, *arguments: str) -> Result:
        """Ask it."""
        return CliRunner().invoke(app, [self.name, *arguments])

    def answer(self, *arguments: str) -> dict[str, Any]:
        """What it answers as JSON."""
        result = self.run(*arguments, "--output", "json")
        assert result.exit_code == 0, result.output
        answered: dict[str, Any] = json.loads(result.stdout)
        return answered

    def refusal(self, *arguments: str) -> TrainjobsError:
        """The one line that it refuses by."""
        result = self.run(*arguments)
        assert isinstance(result.exception, TrainjobsError), result.output
        assert "\n" not in str(result.exception)
        return result.exception
