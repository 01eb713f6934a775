"""The Kubernetes API, as the operator uses it: plain dictionaries in and out, few verbs, typed errors."""
