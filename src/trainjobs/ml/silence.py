"""Keeps the model libraries' progress bars and warnings off the terminal."""

import os

from transformers.utils import logging


def silence() -> None:
    """Let transformers say nothing but errors, and draw no bars."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
