"""Where a run's base model comes from."""

from typing import ClassVar, Literal

from trainjobs.api.base import ModelUri, Name, Rule, Section, TokenizerUri, stays_in_its_place

RunKind = Literal["RewardModelRun", "SFTRun", "RLHFRun", "PretrainRun"]


class RunReference(Section):
    """Another run of the same namespace, whose model this run starts from."""

    kind: RunKind
    """Kind of the other run."""
    name: Name
    """Name of the other run."""
    checkpoint: Literal["Best", "Final"] = "Best"
    """Which of its models: the best by its metric, or the one its training ended with."""


class ModelSource(Section):
    """A model: by URI, or the result of another run of the same namespace."""

    uri: ModelUri | None = None
    """`hf://org/name@revision`, `s3://bucket/path`, `pvc://claim/path`, `file:///path`; on one machine also
    `file://./path`, seen from the manifest's folder."""
    from_run: RunReference | None = None
    """The run whose model to start from; this run waits until that one has succeeded."""
    tokenizer_uri: TokenizerUri | None = None
    """Tokenizer, where it is not the model's own (an extended vocabulary, say)."""
    trust_remote_code: bool = False
    """Run Python code that the model's folder carries. Off unless you have read that code."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.uri) != has(self.fromRun)",
            "a model needs exactly one of uri and fromRun; give one and remove the other",
        ),
        stays_in_its_place("uri", "uri"),
        stays_in_its_place("tokenizerUri", "tokenizerUri"),
    )
