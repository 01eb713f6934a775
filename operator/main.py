"""The operator as `kopf run operator/main.py` starts it: one replica, no leader election.

For trying it out: `KUBECONFIG=… kopf run --all-namespaces operator/main.py`. In a cluster, the chart runs
`python -m trainjobs.controller`. TRAINJOBS_SETTINGS names a file with settings.
"""

from trainjobs.controller.alone import register

register()
