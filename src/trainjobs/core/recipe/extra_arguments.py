"""`spec.training.extraArguments`: which may be given, and values in the types that the library declares."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from trainjobs.errors import InvalidRecipe

Kinds = frozenset[str]
"""Names of the types that an argument may have: int, float, bool, str, list, dict, None, Any, and others."""
EXTRA: Final = "spec.training.extraArguments"
_NOTHING: Final = "nothing: it would have no effect here"
OURS: Final = {
    "output_dir": "the run's folder",
    "max_steps": "spec.training.maxSteps",
    "num_train_epochs": "spec.training.epochs",
    "per_device_train_batch_size": "spec.training.batchSizePerDevice",
    "per_device_eval_batch_size": "spec.training.evalBatchSizePerDevice",
    "gradient_accumulation_steps": "spec.training.gradientAccumulationSteps",
    "auto_find_batch_size": "spec.runPolicy.onOutOfMemory",
    "learning_rate": "spec.training.learningRate",
    "weight_decay": "spec.training.weightDecay",
    "max_grad_norm": "spec.training.maxGradNorm",
    "bf16": "spec.training.precision",
    "fp16": "spec.training.precision",
    "seed": "spec.training.seed",
    "data_seed": "spec.training.seed",
    "gradient_checkpointing": "spec.training.gradientCheckpointing",
    "activation_checkpointing": "spec.training.gradientCheckpointing",
    "torch_compile": "spec.training.compile",
    "dataloader_num_workers": "spec.training.dataWorkers",
    "train_sampling_strategy": "spec.training.lengthGrouping",
    "length_column_name": "spec.training.lengthGrouping",
    "logging_strategy": "spec.training.logEverySteps",
    "logging_steps": "spec.training.logEverySteps",
    "logging_first_step": "nothing: the first step is always logged",
    "logging_nan_inf_filter": "nothing: losses that are not finite end a run",
    "include_num_input_tokens_seen": "nothing: tokens are always counted",
    "average_tokens_across_devices": "nothing: losses are always weighed over all processes",
    "label_smoothing_factor": _NOTHING,
    "label_names": _NOTHING,
    "remove_unused_columns": _NOTHING,
    "accelerator_config": _NOTHING,
    "parallelism_config": "spec.topology.strategy",
    "dataloader_drop_last": "nothing: every row is trained on",
    "ignore_data_skip": "nothing: a resumed run goes on with the rows that it had not seen",
    "restore_callback_states_from_checkpoint": _NOTHING,
    "do_train": _NOTHING,
    "do_eval": _NOTHING,
    "do_predict": _NOTHING,
    "eval_strategy": "spec.training.evalEverySteps",
    "eval_steps": "spec.training.evalEverySteps",
    "eval_delay": "spec.training.evalEverySteps",
    "prediction_loss_only": _NOTHING,
    "eval_do_concat_batches": _NOTHING,
    "eval_use_gather_object": _NOTHING,
    "eval_accumulation_steps": _NOTHING,
    "batch_eval_metrics": _NOTHING,
    "include_for_metrics": _NOTHING,
    "save_strategy": "spec.checkpoints",
    "save_steps": "spec.checkpoints.saveEverySteps",
    "save_total_limit": "spec.checkpoints.keepLatest",
    "save_only_model": "nothing: a checkpoint is always whole",
    "save_on_each_node": _NOTHING,
    "load_best_model_at_end": "spec.checkpoints.keepBest",
    "metric_for_best_model": "spec.checkpoints.keepBest",
    "greater_is_better": "spec.checkpoints.keepBest",
    "resume_from_checkpoint": "spec.checkpoints.resume",
    "enable_jit_checkpoint": "nothing: a stopped run saves by itself",
    "report_to": "spec.tracking",
    "run_name": "spec.tracking",
    "fsdp": "spec.topology.strategy",
    "fsdp_config": "spec.topology.strategy",
    "deepspeed": "spec.topology.strategy",
    "local_rank": "spec.topology",
    "use_cpu": "nothing: accelerators are used where there are any",
    "push_to_hub": "nothing: results stay in the run's storage",
}
"""Arguments that extraArguments may not set, and what to set instead."""


def refuse_ours(extra: Mapping[str, JsonValue]) -> None:
    """InvalidRecipe names the first argument that another field sets, or nothing does."""
    for name in extra:
        if name in OURS:
            raise InvalidRecipe(f"{EXTRA}.{name}: not passed through; set {OURS[name]}")


def faults(extra: Mapping[str, JsonValue], known: Mapping[str, Kinds], library: str) -> Iterator[str]:
    """Yield what is wrong with each argument, its path first; `library` names and versions it."""
    for name in extra:
        try:
            fitted({name: extra[name]}, known, library)
        except InvalidRecipe as error:
            yield str(error)


def fitted(
    extra: Mapping[str, JsonValue], known: Mapping[str, Kinds], library: str, path: str = EXTRA
) -> dict[str, JsonValue]:
    """Return the arguments in the types that the library declares.

    Args:
        extra: what the manifest gives.
        known: the types of every argument that there is.
        library: name and version, for messages.
        path: where they stand in the manifest.

    Raises:
        InvalidRecipe: an argument is not known or ours, or its value has no unambiguous meaning in its type.
    """
    if path == EXTRA:
        refuse_ours(extra)
    values = {}
    for name, value in extra.items():
        kinds = known.get(name)
        if kinds is None:
            raise InvalidRecipe(f"{path}.{name}: {library} has no such argument; correct or remove it")
        values[name] = value if "Any" in kinds else _fit(value, kinds, f"{path}.{name}")
    return values


def _fit(value: JsonValue, kinds: Kinds, path: str) -> JsonValue:
    own = "None" if value is None else type(value).__name__
    if isinstance(value, float) and not math.isfinite(value):
        raise _refused(value, kinds, path)
    if isinstance(value, str) and "dict" in kinds:
        return _parsed(value, kinds, path)
    if own in kinds:
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise _refused(value, kinds, path)
        return value
    match value:
        case bool() | None:
            pass
        case int() if "float" in kinds:
            return float(value)
        case float() if "int" in kinds and value.is_integer():
            return int(value)
        case str() if (read := _read(value, kinds)) is not None:
            return read
        case str() if kinds & {"list"}:
            return [value]
    raise _refused(value, kinds, path)


def _read(text: str, kinds: Kinds) -> JsonValue:
    """Read a number or a truth value as a command line would; None where it is none."""
    word = text.strip().lower()
    if "int" in kinds:
        try:
            return int(word)
        except ValueError:
            pass
    if "float" in kinds:
        try:
            number = float(word)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return {"true": True, "false": False}.get(word) if "bool" in kinds else None


def _parsed(text: str, kinds: Kinds, path: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _refused(text, kinds - {"str"}, path)
    return value


_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list of texts",
    "dict": "an object of names and values",
    "None": "null",
}


def _refused(value: JsonValue, kinds: Kinds, path: str) -> InvalidRecipe:
    wanted = [words for kind, words in _WORDS.items() if kind in kinds]
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    if not set(wanted) - {"null"}:
        return InvalidRecipe(
            f"{path}: {shown} is not allowed; a manifest cannot hold what it needs; remove it"
        )
    return InvalidRecipe(f"{path}: {shown} is not allowed; give {' or '.join(wanted)}")
