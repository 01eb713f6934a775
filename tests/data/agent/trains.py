"""A small training script without torch: it learns one number by gradient descent.

It saves `checkpoint-<step>` as the Trainer does (state last), goes on from TRAINJOBS_RESUME_FROM, reports
as the Trainer's own callback does, and writes its model at the end. Flags make it fail in known ways.
"""

import argparse
import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--save-every", type=int, default=5)
parser.add_argument("--step-seconds", type=float, default=0.05)
parser.add_argument("--fail-at", type=int, default=-1)
parser.add_argument("--how", default="raise")
parser.add_argument("--ignore-sigterm", action="store_true")
parser.add_argument("--ballast", type=int, default=1000, help="bytes of each checkpoint")
parser.add_argument("--together", action="store_true", help="by torch, nodes average their gradients")
parser.add_argument("--shards", action="store_true", help="each process has a number and a file of its own")
given = parser.parse_args()

output = Path(os.environ["TRAINJOBS_OUTPUT_DIR"])
resume = os.environ.get("TRAINJOBS_RESUME_FROM")
rank = int(os.environ.get("RANK", "0"))
state = {"global_step": 0, "weight": 0.0, "log_history": []}
if resume:
    state = json.loads((Path(resume) / "trainer_state.json").read_text())
    if given.shards:
        state["weight"] = json.loads((Path(resume) / f"shard-{rank}.json").read_text())
    print(f"resumed at step {state['global_step']}", flush=True)

stopping = []
signal.signal(signal.SIGTERM, lambda *_: None if given.ignore_sigterm else stopping.append(True))


if given.together:
    import torch

    torch.distributed.init_process_group("gloo")


def averaged(gradient):
    if not given.together:
        return gradient
    shared = torch.tensor([gradient], dtype=torch.float64)
    torch.distributed.all_reduce(shared)
    return shared.item() / torch.distributed.get_world_size()


def report(**metrics):
    body = {"trainerStatus": {"metrics": [{"name": n, "value": str(v)} for n, v in metrics.items()]}}
    token = Path(os.environ["KUBEFLOW_TRAINER_SERVER_TOKEN"]).read_text().strip()
    request = urllib.request.Request(
        os.environ["KUBEFLOW_TRAINER_SERVER_URL"],
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=60).close()


def save():
    folder = output / f"checkpoint-{state['global_step']}"
    folder.mkdir(parents=True, exist_ok=True)
    if given.shards:
        (folder / f"shard-{rank}.json").write_text(json.dumps(state["weight"]))
    if rank == 0 or not given.shards:
        (folder / "weights.bin").write_bytes(b"w" * given.ballast)
        (folder / "trainer_state.json").write_text(json.dumps(state))
    print(f"saved step {state['global_step']}", flush=True)


def fail():
    print("about to fail", flush=True)
    match given.how:
        case "raise":
            raise RuntimeError("the gradient went for a walk")
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(3600)
        case "memory":
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
            bytearray(4 << 30)
        case "kernel-memory":
            hog = []
            while True:
                hog.append(bytearray(os.urandom(1 << 20)))
        case "cuda":
            raise type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})(
                "CUDA out of memory. Tried to allocate 20.00 GiB"
            )
        case "exit":
            sys.exit(7)


while state["global_step"] < given.steps:
    time.sleep(given.step_seconds)
    state["weight"] += 0.1 * averaged(3.0 - state["weight"]) * (1 + rank if given.shards else 1)
    state["global_step"] += 1
    loss = (3.0 - state["weight"]) ** 2
    report(current_step=state["global_step"], total_steps=given.steps, loss=loss)
    if state["global_step"] == given.fail_at:
        fail()
    if state["global_step"] % given.save_every == 0:
        state["log_history"].append({"step": state["global_step"], "eval_loss": loss})
        save()
    if stopping:
        save()
        print("stopping on request", flush=True)
        sys.exit(0)

model = output / "model"
model.mkdir(parents=True, exist_ok=True)
(model / "config.json").write_text(json.dumps({"weight": state["weight"]}))
print("done", flush=True)
