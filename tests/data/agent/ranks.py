"""Meets the other processes as torch.distributed does, adds up their ranks, and leaves one file."""

import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1])
dist.all_reduce(total)
output = Path(os.environ["TRAINJOBS_OUTPUT_DIR"])
# One write a line: print makes two where output is unbuffered, and processes of one node share the pipe.
sys.stdout.write(f"rank {dist.get_rank()} of {dist.get_world_size()}: sum {int(total)}\n")
sys.stdout.flush()
if dist.get_rank() == 0:
    (output / "model").mkdir(parents=True)
    (output / "model" / "config.json").write_text(str(int(total)))
if "--wait" in sys.argv:
    time.sleep(600)
dist.barrier()
dist.destroy_process_group()
