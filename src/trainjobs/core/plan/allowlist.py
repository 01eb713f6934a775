"""The fields, volumes and names of a pod that `spec.podTemplate` may speak of; all others are refused."""

from trainjobs.api import labels

POD_FIELDS = frozenset(
    {
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "hostAliases",
        "imagePullSecrets",
        "initContainers",
        "nodeSelector",
        "priorityClassName",
        "resourceClaims",
        "schedulerName",
        "securityContext",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    }
)
CONTAINER_FIELDS = frozenset(
    {
        "args",
        "command",
        "env",
        "envFrom",
        "image",
        "imagePullPolicy",
        "name",
        "ports",
        "resources",
        "restartPolicy",
        "securityContext",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
        "workingDir",
    }
)
VOLUME_TYPES = frozenset(
    {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
PLANNED_VOLUMES = "(workspace|tmp|shared-memory|cache|storage-ca|(claim|config)-[0-9]+)"
"""Names of the volumes that plans have for every container to mount."""
PROJECTED_SOURCES = frozenset({"configMap", "downwardAPI", "secret"})
POD_SECURITY_FIELDS = frozenset(
    {
        "fsGroup",
        "fsGroupChangePolicy",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "seccompProfile",
        "supplementalGroups",
    }
)
CONTAINER_SECURITY_FIELDS = frozenset(
    {
        "allowPrivilegeEscalation",
        "capabilities",
        "readOnlyRootFilesystem",
        "runAsGroup",
        "runAsNonRoot",
        "runAsUser",
        "seccompProfile",
    }
)
CLAIM_TEMPLATE_FIELDS = frozenset({"metadata", "spec"})
CLAIM_FIELDS = frozenset(
    {
        "accessModes",
        "dataSource",
        "resources",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    }
)
USER_METADATA = (
    f"user.{labels.GROUP}/",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "karpenter.sh/do-not-disrupt",
)
"""Labels and annotations that every run may give its pods: names, and prefixes that end in a slash."""
RESERVED_LABELS = (f"{labels.GROUP}/", "training.kubeflow.org/", "kueue.x-k8s.io/", labels.MANAGED_BY)
RESERVED_ANNOTATIONS = (
    f"{labels.GROUP}/",
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
)
RESERVED_ENVIRONMENT = "TRAINJOBS_"
ANY = "*"
"""In a list of names that the platform allows: every name."""
SYSTEM_PRIORITIES = "system-"
