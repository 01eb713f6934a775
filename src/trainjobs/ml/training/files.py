"""Writing output files whole: aside, then renamed."""

import json
import os
from pathlib import Path

from pydantic import BaseModel


def write_text(path: Path, text: str) -> None:
    """Write a file; a reader sees the old one or the new one, never half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record of ours as JSON, camelCase as in manifests."""
    write_text(path, record.model_dump_json(by_alias=True, indent=2) + "\n")


def write_json(path: Path, value: object) -> None:
    """Write a JSON object."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")
