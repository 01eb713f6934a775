"""A tiny base of every architecture that the library can score texts with, made from its configuration."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

MODEL_TYPES = tuple(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
NOT_MADE = {"layoutlmv2": "needs detectron2, which no index holds"}
"""Architectures that cannot be made here, and why."""

VOCABULARY = 64
POSITIONS = 128
END = 2
BASE_PADDING = 1
"""What a base pads with: in the texts of the tests a word like any other."""

_SIZES: tuple[tuple[int, str], ...] = (
    (
        4,
        "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads"
        " num_self_attention_heads num_cross_attention_heads num_key_value_heads num_kv_heads"
        " num_experts num_local_experts n_routed_experts rotary_dim coordinate_size",
    ),
    (
        8,
        "head_dim d_head d_kv attention_head_dim attention_head_size shape_size qk_rope_head_dim"
        " qk_nope_head_dim v_head_dim entity_vocab_size sliding_window window_size linear_key_head_dim "
        "linear_value_head_dim linear_num_key_heads linear_num_value_heads image_size",
    ),
    (16, "kv_lora_rank q_lora_rank entity_emb_size max_2d_position_embeddings"),
    (
        32,
        "hidden_size n_embd d_model dim emb_dim embedding_size pooler_hidden_size word_embed_proj_dim"
        " input_embedding_size output_embedding_size d_latents pronunciation_embed_dim shape_embed_dim"
        " prediction_head_size",
    ),
    (
        48,
        "intermediate_size dff ffn_dim d_ff d_inner hidden_dim encoder_ffn_dim decoder_ffn_dim"
        " feed_forward_size moe_intermediate_size shared_expert_intermediate_size ffn_hidden_size",
    ),
    (
        2,
        "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_decoder_layers"
        " num_self_attends_per_block num_experts_per_tok n_group attn_layer_period block_size num_landmarks"
        " segment_means_seq_len",
    ),
    (1, "topk_group attn_layer_offset num_random_blocks block_per_row"),
    (VOCABULARY, "vocab_size pronunciation_vocab_size shape_vocab_size"),
    (POSITIONS, "max_position_embeddings n_positions max_seq_len num_hash_buckets"),
    (END, "eos_token_id forced_eos_token_id"),
    (3, "bos_token_id"),
    (BASE_PADDING, "pad_token_id"),
)
_SMALL = {name: size for size, names in _SIZES for name in names.split()}
_ROTARY = {"rope_type": "default", "rope_theta": 10000.0}
_PARTICULARS: dict[str, dict[str, Any]] = {
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": _ROTARY, "sliding_attention": _ROTARY},
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "lilt": {"hidden_size": 48},
    "longformer": {"attention_window": [4, 4]},
    "markuplm": {"max_xpath_tag_unit_embeddings": 16, "max_xpath_subs_unit_embeddings": 16}
    | {"tag_pad_id": 15, "subs_pad_id": 15},
    "mistral4": {"head_dim": 16},
    "reformer": {"axial_pos_embds_dim": [16, 16], "axial_pos_shape": [8, 16], "attn_layers": ["lsh", "lsh"]}
    | {"lsh_attn_chunk_length": 4, "local_attn_chunk_length": 4, "num_buckets": 8, "hash_seed": 1},
    "t5": {"decoder_start_token_id": 0},
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        "layers_block_type": ["linear_attention", "hybrid", "hybrid"],
        "num_hidden_layers": 3,
        "use_mamba_kernels": False,
    },
    "zamba2": {"layers_block_type": ["linear_attention", "hybrid"], "use_mamba_kernels": False},
    "jamba": {"use_mamba_kernels": False},
}


def make_base(model_type: str, folder: Path) -> PreTrainedConfig:
    """Write a base of a few thousand weights, large enough that its scores differ."""
    config = _tiny(CONFIG_MAPPING[model_type], _PARTICULARS.get(model_type, {}))
    config.architectures = []
    torch.manual_seed(5)
    model = AutoModel.from_config(config)
    spread(model)
    model.save_pretrained(folder)
    return config


def spread(model: PreTrainedModel) -> None:
    """Make the weights so large that every token tells."""
    for weight in model.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=0.1)


def _tiny(kind: type[PreTrainedConfig], particulars: dict[str, Any]) -> PreTrainedConfig:
    default = kind()
    values: dict[str, Any] = {
        name: size for name, size in _SMALL.items() if name in vars(default) and name not in particulars
    }
    for name in kind.sub_configs:
        part = getattr(default, name, None)
        if isinstance(part, PreTrainedConfig):
            values[name] = _tiny(type(part), {}).to_dict()
    rope = vars(default).get("rope_parameters") or {}
    if "original_max_position_embeddings" in rope:
        values["rope_parameters"] = {
            **rope,
            "original_max_position_embeddings": POSITIONS // 2,
            "factor": 2.0,
        }
    layers = vars(default).get("layer_types")
    if layers:
        # One of each kind that the architecture mixes, and never a single layer.
        kinds = list(dict.fromkeys(layers))
        values["layer_types"] = kinds if len(kinds) > 1 else kinds * 2
        values["num_hidden_layers"] = len(values["layer_types"])
    return kind(**values, **particulars)
