{{/* The platform's part of a run (trainjobs.core.settings), from .runs of the values or from one of .namespaces. */}}
{{- define "trainjobs.runSettings" -}}
{{- $found := dict -}}
{{- with .runs.image }}{{ $_ := set $found "image" (include "trainjobs.image" (dict "image" . "chart" $.chart)) }}{{ end -}}
{{- with .runs.storage -}}
  {{- range $key, $name := dict "uri" "storageUri" "endpoint" "storageEndpoint" "region" "storageRegion" "secretName" "storageSecretName" "caConfigMapName" "storageCaConfigMapName" -}}
    {{- $value := index $.runs.storage $key | default "" -}}
    {{- if or $value $.whole }}{{ $_ := set $found $name (ternary $value nil (ne $value "")) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $key := list "serviceAccounts" "priorityClasses" "allowedPodLabels" "allowedPodAnnotations" "trustRemoteCode" "graceSeconds" "nodeGraceSeconds" -}}
  {{- if hasKey $.runs $key }}{{ $_ := set $found $key (index $.runs $key) }}{{ end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* The operator's settings file: trainjobs.controller.settings says what it may hold. */}}
{{- define "trainjobs.settings" -}}
# Written by Helm from the release's values; read by the operator when it starts.
watchNamespaces: {{ .Values.watch.namespaces | toJson }}
image: {{ include "trainjobs.image" (dict "image" .Values.operator.image "chart" .Chart) }}
workers: {{ .Values.operator.workers | int }}
resyncSeconds: {{ .Values.operator.resyncSeconds | int }}
logFormat: json
metricsPort: 8080
leaderElection:
  leaseName: {{ include "trainjobs.fullname" . }}
statusServer:
  port: 8443
  certificate: /etc/trainjobs/tls/tls.crt
  key: /etc/trainjobs/tls/tls.key
  ca: /etc/trainjobs/tls/ca.crt
  service: {{ include "trainjobs.statusService" . }}
# What runs get that do not say otherwise; then what differs in one namespace.
defaults:
  statusUrl: https://{{ include "trainjobs.statusHost" . }}/heartbeat
  statusAudience: {{ .Values.status.audience | quote }}
  {{- include "trainjobs.runSettings" (dict "runs" .Values.runs "chart" .Chart "whole" false) | nindent 2 }}
namespaces:
  {{- range $name, $runs := .Values.namespaces }}
  {{ $name | quote }}:
    {{- include "trainjobs.runSettings" (dict "runs" $runs "chart" $.Chart "whole" true) | nindent 4 }}
  {{- else }} {}
  {{- end }}
{{- end -}}
