"""Which command starts the training of a node, and with which environment."""

import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from trainjobs.agent.options import Options
from trainjobs.core.recipe.model import Inputs, Recipe
from trainjobs.errors import InvalidRecipe, RendezvousFailed
from trainjobs.printing import ENCODING_OF_CHILDREN

_LEASH = str(Path(__file__).with_name("leash.py"))
_LAUNCHER = re.compile(r"PET_\w+|TORCHELASTIC_\w+|(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)|MASTER_(ADDR|PORT)")
_REFERENCE = re.compile(r"\$\((TRAINJOBS_[A-Z_]+)\)")
TRAINING_MODULE = "trainjobs.ml.training"


@dataclass(frozen=True, slots=True)
class Rendezvous:
    """Where the processes of an attempt meet, and which of the nodes this is."""

    attempt: int
    node_rank: int
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Launch:
    """A command with its environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def plan_launch(
    recipe: Recipe, inputs: Inputs, recipe_path: Path, meeting: Rendezvous, environment: Mapping[str, str]
) -> Launch:
    """Return what starts the training of this node.

    One process on one node is started directly: torchrun would import torch once more for nothing.
    """
    # What a launcher above us set would contradict what this node's processes are told.
    clean = {
        name: value
        for name, value in environment.items()
        if not _LAUNCHER.fullmatch(name) and name not in _script_values(recipe, inputs)
    }
    alone = recipe.processes.world_size == 1
    program = _program(recipe, inputs, recipe_path)
    command = (sys.executable, *program) if alone else (*_torchrun(recipe, meeting), *program)
    extra = {
        "TRAINJOBS_ATTEMPT": str(meeting.attempt),
        **_threads(recipe.processes.per_node, environment),
        # Workers that meet anew must not reuse a store with the addresses of dead ones.
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "PYTHONUNBUFFERED": "1",
        **ENCODING_OF_CHILDREN,
        # SIGABRT then prints every thread's stack: the last resort when a run hangs.
        "PYTHONFAULTHANDLER": "1",
        **{variable.name: variable.value for variable in recipe.env},
    }
    if recipe.command:
        extra |= _script_environment(recipe, inputs)
        if alone:
            extra |= _single_process(meeting)
    return Launch((sys.executable, "-I", "-S", _LEASH, str(os.getpid()), *command), {**clean, **extra})


def until_first_step(recipe: Recipe, meeting: Rendezvous) -> str:
    """What is waited for between the start of a training and its first step."""
    nodes = recipe.processes.nodes
    if nodes == 1:
        return "the first step: libraries, model and data are loaded"
    return f"the first step: {nodes} nodes meet at {meeting.address}:{meeting.port}, and load model and data"


def _program(recipe: Recipe, inputs: Inputs, recipe_path: Path) -> tuple[str, ...]:
    if not recipe.command:
        return ("-P", "-m", TRAINING_MODULE, str(recipe_path))
    words = [_expanded(word, _script_environment(recipe, inputs)) for word in recipe.command]
    words = words[1:] if Path(words[0]).name in ("python", "python3") else words
    if not words:
        raise InvalidRecipe("spec.runtime.command: names no script; give a Python file and its arguments")
    if words[0] == "-m":
        return tuple(words)
    script = Path(words[0]).absolute()
    if not script.is_file():
        raise InvalidRecipe(
            f"spec.runtime.command: there is no script {script}; give the path of a Python file"
        )
    return (str(script), *words[1:])


def _torchrun(recipe: Recipe, meeting: Rendezvous) -> tuple[str, ...]:
    # Every worker is tied to torchrun as torchrun is to the agent: each has a session of its own,
    # so that killing one process group would not reach them.
    return (
        sys.executable,
        "-P",
        "-m",
        "torch.distributed.run",
        f"--nnodes={recipe.processes.nodes}",
        f"--node-rank={meeting.node_rank}",
        f"--nproc-per-node={recipe.processes.per_node}",
        f"--master-addr={meeting.address}",
        f"--master-port={meeting.port}",
        "--max-restarts=0",
        "--no-python",
        sys.executable,
        "-I",
        "-S",
        _LEASH,
        "0",
        sys.executable,
    )


def _threads(processes: int, environment: Mapping[str, str]) -> dict[str, str]:
    """How torch uses this node's processors, unless somebody chose.

    Threads wait asleep: where others use the processors too, those that spin keep the ones they wait for
    from running, and a step on two cores took six times as long.
    """
    shared_out = max(1, len(os.sched_getaffinity(0)) // processes)
    settings = {"OMP_NUM_THREADS": str(shared_out), "OMP_WAIT_POLICY": "PASSIVE"}
    return {name: value for name, value in settings.items() if not environment.get(name)}


def _script_environment(recipe: Recipe, inputs: Inputs) -> dict[str, str]:
    """What a user's own script may want to know, where there is something to know."""
    return {name: value for name, value in _script_values(recipe, inputs).items() if value is not None}


def _script_values(recipe: Recipe, inputs: Inputs) -> dict[str, str | None]:
    return {
        "TRAINJOBS_OUTPUT_DIR": inputs.output,
        "TRAINJOBS_MODEL_DIR": inputs.model,
        "TRAINJOBS_TOKENIZER_DIR": inputs.tokenizer,
        "TRAINJOBS_TRAIN_DATA": inputs.train,
        "TRAINJOBS_EVAL_DATA": inputs.eval,
        "TRAINJOBS_TEST_DATA": inputs.test,
        "TRAINJOBS_RESUME_FROM": inputs.resume_from,
        "TRAINJOBS_RUN_NAME": recipe.run.name,
    }


def _expanded(word: str, values: Mapping[str, str]) -> str:
    """Fill in `$(TRAINJOBS_OUTPUT_DIR)` and the like: a script that knows nothing of us takes arguments.

    One that has no value, as `$(TRAINJOBS_RESUME_FROM)` at the first start, becomes empty.
    """
    return _REFERENCE.sub(lambda match: values.get(match[1], ""), word)


def _single_process(meeting: Rendezvous) -> dict[str, str]:
    """What torchrun would tell a process that is alone."""
    return {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "GROUP_RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": meeting.address,
        "MASTER_PORT": str(meeting.port),
    }


def meeting_point(options: Options, nodes: int) -> Rendezvous:
    """Return where the processes meet; an attempt of one node takes any free port.

    Raises:
        RendezvousFailed: several nodes, and no port was given that all of them know.
    """
    if options.master_port == 0 and nodes > 1:
        raise RendezvousFailed(f"{nodes} nodes need a port that all of them know: give --master-port")
    place = Rendezvous(options.attempt, options.node_rank, options.master_address, options.master_port)
    if place.port:
        return place
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return replace(place, port=int(probe.getsockname()[1]))
