"""A run and its attempt → what has to exist for it: first a neutral plan, then its renderings.

    run, attempt, settings ──neutral──▶ Plan ──pod──▶ pod template ──merge──▶ with spec.podTemplate
                                                                                  │
                          refusals ◀──policy── is it allowed?  ◀──────────────────┤
                                                                                  ▼
                                                    render: PyTorchJob, NetworkPolicy

The seam between backends runs behind the pod template. It asks a backend for two things only: the pod
label that holds a node's rank, and the host name of node 0 (`environment.Backend`). `pytorchjob` is one
backend; an Indexed Job, a JobSet or a TrainJob is another file of its size, and nothing else changes.
"""
