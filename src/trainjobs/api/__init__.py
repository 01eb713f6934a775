"""The API: group `trainjobs.dev`, version `v1alpha1`, four kinds of run."""
