"""What every benchmark needs: its inputs, the size of the machine, and figures with their spread."""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "reward-model"
ENCODER = EXAMPLE / "inputs" / "minilm"
RATINGS = EXAMPLE / "inputs" / "review-ratings"


def arguments(words: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """The command line of a benchmark, described by its docstring."""
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser


def prepare_ratings() -> None:
    """Make the real encoder and the real ratings of the example, where they are not there yet."""
    command = [sys.executable, str(EXAMPLE / "prepare_review_ratings.py")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def machine() -> str:
    """How large this machine is, and how busy before the measurement."""
    memory = psutil.virtual_memory().total / 2**30
    busy = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, {memory:.0f} GiB; load before: {busy:.1f}"


def spread(values: Sequence[float], form: str) -> str:
    """The median of several measurements, and the lowest and the highest."""
    low, middle, high = (format(f(values), form) for f in (min, statistics.median, max))
    return f"{middle}  ({low}…{high})"
