"""The operator: gathers what is known of a run from Kubernetes, decides, and applies what was decided."""
