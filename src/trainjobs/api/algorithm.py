"""How an RLHFRun learns from preferences or rewards."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainjobs.api.base import PositiveFloat, Ratio, Rule, Section, union_rules
from trainjobs.api.model_source import ModelSource

Coefficient = Annotated[float, Field(ge=0.0, le=1000.0)]
Tokens = Annotated[int, Field(ge=1, le=1_048_576)]


class DPO(Section):
    """Direct preference optimisation (Rafailov et al. 2023)."""

    beta: PositiveFloat = 0.1
    """Strength of the pull towards the reference model."""
    loss_type: Literal["Sigmoid", "Hinge", "IPO", "Robust"] = "Sigmoid"
    """Loss on the reward margin."""
    label_smoothing: Ratio = 0.0
    """Assumed share of swapped labels, below 0.5."""
    reference: ModelSource | None = None
    """Reference model; default is the base model."""

    rules: ClassVar[tuple[Rule, ...]] = (
        # A bound of the schema would do, but API servers cut a bound's fraction off before they compare
        # it with a whole number, and so refuse 0 where less than 0.5 is asked for.
        Rule(
            "self.labelSmoothing < 0.5",
            "spec.algorithm.dpo.labelSmoothing: has to be below 0.5; at 0.5 the labels say nothing",
        ),
    )


class KTO(Section):
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024)."""

    beta: PositiveFloat = 0.1
    """Strength of the pull towards the reference model."""
    desirable_weight: PositiveFloat = 1.0
    """Weight of desirable rows."""
    undesirable_weight: PositiveFloat = 1.0
    """Weight of undesirable rows."""


class ORPO(Section):
    """Odds-ratio preference optimisation (Hong et al. 2024)."""

    beta: PositiveFloat = 0.1
    """Weight of the odds-ratio loss."""


class PPO(Section):
    """Proximal policy optimisation with a critic (Schulman et al. 2017)."""

    actor_learning_rate: PositiveFloat = 1e-6
    """Learning rate of the policy."""
    critic_learning_rate: PositiveFloat = 1e-5
    """Learning rate of the critic."""
    kl_coefficient: Coefficient = 0.001
    """Weight of the KL penalty against the reference model."""
    clip_ratio: Ratio = 0.2
    """Clipping range of the probability ratio."""
    gae_lambda: Ratio = 1.0
    """λ of generalised advantage estimation."""
    mini_batch_size: Annotated[int, Field(ge=1, le=65536)] = 256
    """Prompts per policy update."""
    micro_batch_size_per_device: Annotated[int, Field(ge=1, le=4096)] = 4
    """Rows per forward pass."""


class GRPO(Section):
    """Group-relative policy optimisation (Shao et al. 2024)."""

    group_size: Annotated[int, Field(ge=2, le=1024)] = 8
    """Completions per prompt; fewer than 4 make a poor baseline."""
    learning_rate: PositiveFloat = 1e-6
    """Learning rate of the policy."""
    kl_coefficient: Coefficient = 0.001
    """Weight of the KL loss against the reference model."""
    clip_ratio: Ratio = 0.2
    """Clipping range of the probability ratio."""
    mini_batch_size: Annotated[int, Field(ge=1, le=65536)] = 256
    """Prompts per policy update."""
    micro_batch_size_per_device: Annotated[int, Field(ge=1, le=4096)] = 4
    """Rows per forward pass."""


class RLOO(Section):
    """REINFORCE leave-one-out (Ahmadian et al. 2024)."""

    group_size: Annotated[int, Field(ge=2, le=1024)] = 4
    """Completions per prompt."""
    kl_coefficient: Coefficient = 0.05
    """Weight of the KL penalty."""


class Rollout(Section):
    """How completions are sampled."""

    max_prompt_length: Tokens = 512
    """Longest prompt in tokens."""
    max_completion_length: Tokens = 512
    """Longest completion in tokens."""
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """Sampling temperature."""
    top_p: Ratio = 1.0
    """Nucleus sampling."""
    tensor_parallel_size: Annotated[int, Field(ge=1, le=64)] = 1
    """Devices that share one copy of the model while sampling."""


class RewardSource(Section):
    """One reward: a reward model, weighted."""

    model: ModelSource
    """Reward model, often the result of a RewardModelRun."""
    weight: Annotated[float, Field(ge=-1000.0, le=1000.0)] = 1.0
    """Its share in the sum."""


class Algorithm(Section):
    """How to learn from preferences or rewards: `type`, and that type's options."""

    type: Literal["DPO", "PPO", "GRPO", "KTO", "ORPO", "RLOO"]
    """Which algorithm."""
    dpo: DPO | None = None
    """Options of `DPO`."""
    ppo: PPO | None = None
    """Options of `PPO`."""
    grpo: GRPO | None = None
    """Options of `GRPO`."""
    kto: KTO | None = None
    """Options of `KTO`."""
    orpo: ORPO | None = None
    """Options of `ORPO`."""
    rloo: RLOO | None = None
    """Options of `RLOO`."""
    rollout: Rollout | None = None
    """PPO, GRPO, RLOO: how completions are sampled."""
    rewards: Annotated[list[RewardSource], Field(max_length=8)] = Field(default_factory=list)
    """PPO, GRPO, RLOO: what completions are rewarded by."""

    rules: ClassVar[tuple[Rule, ...]] = (
        *union_rules(
            "spec.algorithm",
            {
                "DPO": "dpo",
                "PPO": "ppo",
                "GRPO": "grpo",
                "KTO": "kto",
                "ORPO": "orpo",
                "RLOO": "rloo",
            },
        ),
        Rule(
            "!(self.type in ['PPO', 'GRPO', 'RLOO']) || size(self.rewards) > 0",
            "spec.algorithm.rewards: PPO, GRPO and RLOO need at least one reward; name a reward model",
        ),
        Rule(
            "self.type in ['PPO', 'GRPO', 'RLOO'] || (size(self.rewards) == 0 && !has(self.rollout))",
            "spec.algorithm: DPO, KTO and ORPO sample nothing; remove rewards and rollout",
        ),
    )
