"""Training: `python -m trainjobs.ml.training RECIPE`."""
