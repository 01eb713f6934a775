"""Object storage and folders behind one protocol, and the checkpoints of a run on top of it.

Start at `opening.open_store`; what a run keeps there is in `checkpoints.CheckpointStore`.
"""
