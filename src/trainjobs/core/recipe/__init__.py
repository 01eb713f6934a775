"""The recipe: everything a training process needs to know, resolved, and nothing else."""
