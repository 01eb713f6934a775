"""Base models: loaded from their folder, and what is wrong with their weights said by name."""

import importlib.util
import logging
import pickle
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForSequenceClassification,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from trainjobs.errors import InvalidRecipe, ModelNotFound
from trainjobs.ml.modeling.heads import HEADS, is_head

_log = logging.getLogger("trainjobs.training")
_OF_A_LAYER = re.compile(r"\.\d+\.")


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a base model is loaded."""

    dtype: torch.dtype = torch.float32
    quantization: Literal["None", "NF4"] = "None"
    trust_remote_code: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """A base model as it was loaded."""

    model: PreTrainedModel
    fresh: frozenset[str]
    """Weights that its files do not hold, or hold in another shape: they are new."""


def load_base(folder: Path, config: PreTrainedConfig, load: LoadOptions) -> Base:
    """Load the weights of `folder` under `config`, with a head for as many labels as that names.

    Raises:
        ModelNotFound: a file is missing, damaged, belongs to another model, or holds what is not a number.
        InvalidRecipe: the architecture cannot score texts, or the machine cannot quantize.
    """
    try:
        model, found = AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            dtype=load.dtype,
            quantization_config=_quantization(load),
            trust_remote_code=load.trust_remote_code,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except pickle.UnpicklingError as error:
        raise ModelNotFound(
            f"{folder}: a weights file holds more than tensors and is refused; convert it to safetensors"
        ) from error
    except SafetensorError as error:
        raise ModelNotFound(
            f"{folder}: a weights file is damaged or cut off ({_first_line(error)}); fetch it again"
        ) from error
    except OSError as error:
        raise ModelNotFound(f"{folder}: {_first_line(error)}") from error
    except ValueError as error:
        raise InvalidRecipe(f"spec.baseModel: {folder}: {_first_line(error)}") from error
    _check_shapes(folder, found["mismatched_keys"])
    _check_missing(folder, found["missing_keys"])
    _check_finite(folder, model.named_parameters())
    _say_head(config, found)
    fresh = {*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])}
    return Base(model, frozenset(fresh))


def _check_shapes(folder: Path, mismatched: Iterable[tuple[str, Any, Any]]) -> None:
    for name, held, wanted in sorted(mismatched):
        if not is_head(name):
            raise ModelNotFound(
                f"{folder}: the weight {name} has the shape {list(held)}, by config.json {list(wanted)};"
                " fetch both files from the same model"
            )


def _check_missing(folder: Path, missing: Collection[str]) -> None:
    # A pooler, like the head, is new in most models; without its layers a model is noise.
    layers = sorted(name for name in missing if _OF_A_LAYER.search(name) and not is_head(name))
    if layers:
        raise ModelNotFound(
            f"{folder}: its weights files lack {len(layers)} weights of the model that config.json describes,"
            f" {layers[0]} among them; fetch both from the same model"
        )


def _check_finite(folder: Path, weights: Iterable[tuple[str, Tensor]]) -> None:
    for name, weight in weights:
        # DeepSpeed keeps a process's share of a weight beside it.
        values: Tensor = getattr(weight, "ds_tensor", weight)
        if values.is_meta or not values.is_floating_point():
            continue
        # One sum is finite where every number is; only where it is not are they looked at one by one.
        if torch.isfinite(values.detach().sum(dtype=torch.float32)):
            continue
        wrong = int((~torch.isfinite(values)).sum())
        if wrong:
            raise ModelNotFound(
                f"{folder}: {wrong} of {values.numel()} numbers of the weight {name} are NaN or infinite;"
                " fetch the model again, or choose another one"
            )


def _say_head(config: PreTrainedConfig, found: dict[str, Any]) -> None:
    replaced = next((held for name, held, _ in sorted(found["mismatched_keys"]) if is_head(name)), None)
    if replaced is not None:
        _log.warning(
            "the base model scores %d dimensions already, this run %d: its head gives way to a new one",
            replaced[0],
            config.num_labels,
        )


def _quantization(load: LoadOptions) -> BitsAndBytesConfig | None:
    if load.quantization == "None":
        return None
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InvalidRecipe(
            "spec.adapter.type: QLoRA needs bitsandbytes, which is not installed; install it, or set LoRA"
        )
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=load.dtype,
        llm_int8_skip_modules=list(HEADS),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
