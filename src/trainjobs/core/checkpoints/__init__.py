"""What is stored of a run and what it means: keys, manifests, claims, resume and retention. Pure."""
