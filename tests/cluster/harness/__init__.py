"""A real Kubernetes for tests and trial: a given one, kind, or one started from its parts on this machine."""
