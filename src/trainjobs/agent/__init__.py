"""Process 1 of every node: fetch, launch, watch, sync, report. Torch-free, in a pod or on a machine.

Start at `main.main`; each step of its life is a file of its own.
"""
