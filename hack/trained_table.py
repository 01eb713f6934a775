"""Writes docs/reference/trained.md: what this version trains, out of the table that refuses all else."""

from typing import get_args

from trainjobs.core.recipe.model import Task
from trainjobs.core.recipe.support import TRAINED

PAGE = """<!-- Generated from trainjobs.core.recipe.support by `make generate`; do not edit. -->
# What this version trains

| task | how a manifest asks for it |
|---|---|
{trained}
What else the [API reference](api.md) knows ({others})
is trained by a script of your own only, which a manifest names in `spec.runtime.command`. Without one it is
refused before anything is fetched or a device is held: by `trainjobs validate` and `trainjobs run` with exit
code 10, and by the operator with the condition `Accepted=False`, reason
[Unsupported](../troubleshooting.md#unsupported).
"""


def main() -> None:
    """Print the page."""
    trained = "".join(f"| {task} | `{asked}` |\n" for task, asked in TRAINED.items())
    others = ", ".join(f"`{task}`" for task in get_args(Task) if task not in TRAINED)
    print(PAGE.format(trained=trained, others=others), end="")


if __name__ == "__main__":
    main()
