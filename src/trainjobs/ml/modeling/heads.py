"""The linear head of a reward model: one output per dimension."""

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from trainjobs.errors import InvalidRecipe

HEADS = ("score", "classifier", "classification_head")
"""Names that the library's models give their heads."""


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """What the head of a new model looks like."""

    names: list[str]
    """Names of the dimensions, in the order of the outputs."""
    dropout: float | None = None


def configure_head(config: PreTrainedConfig, head: HeadOptions) -> None:
    """Ask for a head of these dimensions, before the model is made."""
    config.num_labels = len(head.names)
    config.id2label = dict(enumerate(head.names))
    config.label2id = {name: index for index, name in enumerate(head.names)}
    config.problem_type = "regression"
    if head.dropout is not None and hasattr(config, "classifier_dropout"):
        config.classifier_dropout = head.dropout


def head_names(model: nn.Module) -> list[str]:
    """Return the name that a model gives its head; nothing where it is none of the known ones."""
    return [name for name in HEADS if isinstance(getattr(model, name, None), nn.Module)]


def find_head(model: nn.Module) -> nn.Module:
    """Return the module that turns a pooled text into scores. InvalidRecipe when there is none known."""
    for name in head_names(model):
        return model.get_submodule(name)
    raise InvalidRecipe(f"spec.baseModel: {type(model).__name__} has no head named {', '.join(HEADS)}")


def is_head(weight: str) -> bool:
    """Whether a weight, by its name, is the head's."""
    return weight.split(".", 1)[0] in HEADS


def add_head_dropout(model: PreTrainedModel, probability: float) -> None:
    """Drop out the head's input while training, for architectures that have no such option themselves."""

    def drop(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        dropped = nn.functional.dropout(inputs[0], probability, training=module.training)
        return (dropped, *inputs[1:])

    find_head(model).register_forward_pre_hook(drop)
