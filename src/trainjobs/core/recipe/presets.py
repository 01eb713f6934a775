"""Presets: what `spec.training.preset` means, field by field. Fields that the manifest gives win."""

from trainjobs.api.training import Training

PRESETS: dict[str, dict[str, object]] = {
    "None": {},
    "LittleMemory": {
        "batch_size_per_device": 2,
        "gradient_accumulation_steps": 8,
        "gradient_checkpointing": True,
        "length_grouping": False,
        "compile": False,
    },
    "Speed": {
        "batch_size_per_device": 8,
        "gradient_accumulation_steps": 2,
        "gradient_checkpointing": False,
        "length_grouping": True,
    },
}
DEFAULTS: dict[str, object] = {
    "batch_size_per_device": 4,
    "gradient_accumulation_steps": 4,
    "gradient_checkpointing": False,
    "length_grouping": False,
    "compile": False,
}


def with_preset(training: Training) -> Training:
    """`training` with every field filled that its preset or the defaults speak of; `preset` is spent."""
    filled = {**DEFAULTS, **PRESETS[training.preset]}
    if training.global_batch_size is not None:
        filled.pop("gradient_accumulation_steps")
    missing = {name: value for name, value in filled.items() if getattr(training, name) is None}
    if training.epochs is None and training.max_steps is None:
        missing["epochs"] = 3.0
    return training.model_copy(update={**missing, "preset": "None"})
