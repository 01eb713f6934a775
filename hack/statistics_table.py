"""Writes docs/reference/training-stats.md: every field of `training_stats.json`."""

from trainjobs.api.base import Section
from trainjobs.ml.training.statistics import AnnotatorAgreement, TrainingStats

HEAD = """<!-- Generated from trainjobs.ml.training.statistics by `make generate`; do not edit. -->
# training_stats.json

What a training took and yielded, the resumed parts of it included unless said otherwise.
"""


def table(section: type[Section]) -> str:
    """Return the rows of one object's fields."""
    fields = section.model_fields.items()
    rows = [f"| `{field.alias or name}` | {field.description} |\n" for name, field in fields]
    return "\n| field | what it is |\n|---|---|\n" + "".join(rows)


def main() -> None:
    """Print the page."""
    print(HEAD + table(TrainingStats), end="")
    print("\n## Each of `annotators`\n" + table(AnnotatorAgreement), end="")


if __name__ == "__main__":
    main()
