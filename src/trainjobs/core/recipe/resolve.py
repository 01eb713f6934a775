"""A run and what it depends on → its recipe."""

from collections.abc import Mapping

from trainjobs.api.algorithm import Algorithm
from trainjobs.api.checkpoints import Checkpoints, Storage
from trainjobs.api.model_source import ModelSource, RunReference
from trainjobs.api.runs import PretrainRun, RewardModelRun, RLHFRun, Run, SFTRun
from trainjobs.api.status import StorageStatus
from trainjobs.api.training import Training
from trainjobs.core.figures.asked import unmeasured
from trainjobs.core.figures.scores import direction_of
from trainjobs.core.recipe.extra_arguments import refuse_ours
from trainjobs.core.recipe.model import Limits, Processes, Recipe, ResolvedModel, RunIdentity, Task
from trainjobs.core.recipe.pods import accelerators, grace_seconds
from trainjobs.core.recipe.presets import with_preset
from trainjobs.core.recipe.storage import base_of, stored_at
from trainjobs.core.settings import Settings
from trainjobs.errors import InvalidRecipe

MAX_BATCH = 65536
"""Of rows per pass, and of passes per step: as `spec.training` bounds them."""


def resolve(run: Run, settings: Settings, *, halve_batch: int = 0) -> Recipe:
    """The recipe of `run`.

    Args:
        run: the run, with `status.dependencies` pinned for every `fromRun`.
        settings: what the platform gives.
        halve_batch: how many times the batch per device is halved; the accumulation grows by as much, so that
            the rows per optimiser step stay the same.

    Raises:
        InvalidRecipe: a dependency is not pinned, no storage is known, the batch does not divide, or a figure
            that is asked for is not measured.
    """
    spec = run.spec
    if not spec.runtime.command:
        refuse_ours(spec.training.extra_arguments)
    if (unknown := next(unmeasured(run), None)) is not None:
        raise InvalidRecipe(": ".join(unknown))
    pinned = _pinned(run)
    storage = stored_at(run, settings)
    processes = Processes(
        nodes=spec.topology.nodes,
        per_node=_processes_per_node(run, settings),
        strategy=spec.topology.strategy,
    )
    return Recipe(
        run=RunIdentity.model_validate(
            {
                "kind": run.kind,
                "namespace": run.metadata.namespace,
                "name": run.metadata.name,
                "uid": run.metadata.uid,
            }
        ),
        task=task_of(run),
        model=_model(spec.base_model, pinned),
        dataset=spec.dataset,
        objective=run.spec.objective if isinstance(run, RewardModelRun) else None,
        algorithm=_algorithm(run.spec.algorithm, pinned) if isinstance(run, RLHFRun) else None,
        adapter=spec.adapter,
        training=_training(spec.training, processes.world_size, halve_batch),
        processes=processes,
        checkpoints=_checkpoints(run, storage),
        tracking=spec.tracking,
        evaluation=spec.evaluation,
        limits=Limits(
            start_timeout_seconds=spec.run_policy.start_timeout_seconds,
            hang_timeout_seconds=spec.run_policy.hang_timeout_seconds,
            grace_seconds=grace_seconds(run, settings),
        ),
        command=spec.runtime.command,
        env=spec.runtime.env,
        store=storage.uri,
    )


def task_of(run: Run) -> Task:
    """What the run's training process is to do."""
    match run:
        case RewardModelRun():
            return run.spec.objective.type
        case SFTRun():
            return "SFT"
        case RLHFRun():
            return run.spec.algorithm.type
        case PretrainRun():
            return "CausalLM" if run.spec.objective == "Causal" else "MaskedLM"
        case _:
            raise InvalidRecipe(f"kind: {run.kind} is not a kind of run")


def _checkpoints(run: Run, storage: StorageStatus) -> Checkpoints:
    checkpoints = run.spec.checkpoints
    best = checkpoints.keep_best
    known = best.model_copy(update={"direction": direction_of(best, _dimensions(run))})
    reached = Storage.model_validate({**storage.model_dump(), "uri": base_of(run, storage)})
    return checkpoints.model_copy(update={"keep_best": known, "storage": reached})


def _dimensions(run: Run) -> list[str]:
    regression = run.spec.objective.regression if isinstance(run, RewardModelRun) else None
    return [dimension.name for dimension in regression.dimensions] if regression else []


Pinned = Mapping[tuple[str, str, str], str]
"""(kind, name, checkpoint) of a run that this one starts from → URI of its model."""


def _pinned(run: Run) -> Pinned:
    return {(one.kind, one.name, one.checkpoint): one.uri for one in run.status.dependencies}


def _model(source: ModelSource, pinned: Pinned) -> ResolvedModel:
    return ResolvedModel(
        uri=_uri_of(source, pinned, "spec.baseModel"),
        tokenizer_uri=source.tokenizer_uri,
        trust_remote_code=source.trust_remote_code,
    )


def _algorithm(algorithm: Algorithm, pinned: Pinned) -> Algorithm:
    """The algorithm with every model it names given by URI."""
    dpo = algorithm.dpo
    if dpo is not None and dpo.reference is not None:
        reference = _by_uri(dpo.reference, pinned, "spec.algorithm.dpo.reference")
        dpo = dpo.model_copy(update={"reference": reference})
    rewards = [
        reward.model_copy(
            update={"model": _by_uri(reward.model, pinned, f"spec.algorithm.rewards[{index}].model")}
        )
        for index, reward in enumerate(algorithm.rewards)
    ]
    return algorithm.model_copy(update={"dpo": dpo, "rewards": rewards})


def _by_uri(source: ModelSource, pinned: Pinned, field: str) -> ModelSource:
    return source.model_copy(update={"uri": _uri_of(source, pinned, field), "from_run": None})


def _uri_of(source: ModelSource, pinned: Pinned, field: str) -> str:
    if source.uri is not None:
        return source.uri
    uri = pinned.get(_key(source.from_run)) if source.from_run else None
    if uri is None:
        raise InvalidRecipe(
            f"{field}.fromRun: the other run's model is not known yet; wait until it has succeeded"
        )
    return uri


def _key(reference: RunReference) -> tuple[str, str, str]:
    return reference.kind, reference.name, reference.checkpoint


def _processes_per_node(run: Run, settings: Settings) -> int:
    wanted = run.spec.topology.processes_per_node
    if wanted != "Auto":
        return wanted
    devices = settings.devices_per_node
    return max(accelerators(run, settings) if devices is None else devices, 1)


def _training(training: Training, world_size: int, halve_batch: int) -> Training:
    filled = with_preset(training)
    batch = filled.batch_size_per_device or 1
    evaluated = filled.eval_batch_size_per_device or min(2 * batch, MAX_BATCH)
    accumulation = _accumulation(filled, batch, world_size)
    for _ in range(halve_batch):
        smaller = halved(batch)
        accumulation, batch, evaluated = accumulation * batch // smaller, smaller, max(1, evaluated // 2)
    if accumulation > MAX_BATCH:
        raise InvalidRecipe(
            f"spec.training: {accumulation} forward passes per optimiser step are more than {MAX_BATCH}; "
            "raise batchSizePerDevice or lower globalBatchSize"
        )
    return filled.model_copy(
        update={
            "batch_size_per_device": batch,
            "gradient_accumulation_steps": accumulation,
            "eval_batch_size_per_device": evaluated,
            "global_batch_size": None,
        }
    )


def _accumulation(training: Training, batch: int, world_size: int) -> int:
    if training.global_batch_size is None:
        return training.gradient_accumulation_steps or 1
    per_pass = batch * world_size
    if training.global_batch_size % per_pass:
        raise InvalidRecipe(
            f"spec.training.globalBatchSize: {training.global_batch_size} is not a multiple of {per_pass} "
            f"(batchSizePerDevice {batch} × {world_size} processes); give a multiple"
        )
    return training.global_batch_size // per_pass


def halved(batch: int) -> int:
    """The largest batch of at most half the size that divides it: only so do the rows per step stay equal."""
    return max((size for size in range(1, batch // 2 + 1) if batch % size == 0), default=1)
