"""Writes charts/trainjobs/files/allowlist.json: the operator's lists, for the chart's admission policy."""

import json

from trainjobs.core.plan import allowlist

LISTS = {
    "containerFields": allowlist.CONTAINER_FIELDS,
    "containerSecurityFields": allowlist.CONTAINER_SECURITY_FIELDS,
    "podFields": allowlist.POD_FIELDS,
    "podSecurityFields": allowlist.POD_SECURITY_FIELDS,
    "projectedSources": allowlist.PROJECTED_SOURCES,
    "volumeTypes": allowlist.VOLUME_TYPES,
}
NAMES = {
    "plannedVolumes": allowlist.PLANNED_VOLUMES,
    "reservedAnnotations": allowlist.RESERVED_ANNOTATIONS,
    "reservedEnvironment": allowlist.RESERVED_ENVIRONMENT,
    "reservedLabels": allowlist.RESERVED_LABELS,
    "systemPriorities": allowlist.SYSTEM_PRIORITIES,
    "userMetadata": allowlist.USER_METADATA,
}

if __name__ == "__main__":
    print(json.dumps({name: sorted(held) for name, held in LISTS.items()} | NAMES, indent=2))
