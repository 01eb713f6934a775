"""Every label, annotation, finalizer and name that trainjobs puts on objects."""

GROUP = "trainjobs.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "trainruns"

RUN_KIND = f"{GROUP}/run-kind"
RUN_NAME = f"{GROUP}/run-name"
RUN_UID = f"{GROUP}/run-uid"
ATTEMPT = f"{GROUP}/attempt"
RECIPE = f"{GROUP}/recipe"
STATUS_CA = f"{GROUP}/status-ca"
CHECKPOINT_NOW = f"{GROUP}/checkpoint-now"
FINALIZER = f"{GROUP}/stored-data"
MANAGED_BY = "app.kubernetes.io/managed-by"
KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"

CONTAINER = "pytorch"
