"""The makers of example data are scripts beside their data, not a package: put them on the path."""

import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "reward-model"
sys.path.insert(0, str(EXAMPLE))
