{{/* The platform's part of a run (trainjobs.core.settings): .runs of the values, or one of .namespaces over .defaults. */}}
{{- define "trainjobs.runSettings" -}}
{{- $found := dict -}}
{{- $defaults := .defaults | default dict -}}
{{- with .runs.image }}{{ $_ := set $found "image" (include "trainjobs.image" (dict "image" . "chart" $.chart)) }}{{ end -}}
{{- with .runs.storage -}}
  {{- if and $.namespace (not .uri) (not (dig "storage" "uri" "" $defaults)) -}}
    {{- fail (printf "namespaces.%s.storage.uri: required, as runs.storage.uri is not given either" $.namespace) -}}
  {{- end -}}
  {{- $whole := and $.namespace .uri -}}
  {{- range $key, $name := dict "uri" "storageUri" "endpoint" "storageEndpoint" "region" "storageRegion" "secretName" "storageSecretName" "caConfigMapName" "storageCaConfigMapName" -}}
    {{- $value := index $.runs.storage $key | default "" -}}
    {{- if or $value $whole }}{{ $_ := set $found $name (ternary $value nil (ne $value "")) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $key := list "serviceAccounts" "priorityClasses" "allowedPodLabels" "allowedPodAnnotations" "trustRemoteCode" "graceSeconds" "nodeGraceSeconds" "accelerators" -}}
  {{- if hasKey $.runs $key }}{{ $_ := set $found $key (index $.runs $key) }}{{ end -}}
{{- end -}}
{{/* Left out by null, too, code that a model carries is not trusted. */}}
{{- if and (not $.namespace) (not (hasKey $found "trustRemoteCode")) }}{{ $_ := set $found "trustRemoteCode" false }}{{ end -}}
{{- with .runs.podSecurityContext }}{{ $_ := set $found "podSecurityContext" . }}{{ end -}}
{{/* Namespaces add to what all have: the operator merges one template after the other. */}}
{{- with .runs.podTemplate -}}
  {{- $_ := set $found "podTemplates" (compact (list $defaults.podTemplate .)) -}}
{{- end -}}
{{- with .runs.env }}{{ $_ := set $found "env" (concat ($defaults.env | default list) .) }}{{ end -}}
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
  gangSchedulers: {{ .Values.gangSchedulers | toJson }}
  {{- include "trainjobs.runSettings" (dict "runs" .Values.runs "chart" .Chart) | nindent 2 }}
namespaces:
  {{- range $name, $runs := .Values.namespaces }}
  {{ $name | quote }}:
    {{- include "trainjobs.runSettings" (dict "runs" $runs "defaults" $.Values.runs "namespace" $name "chart" $.Chart) | nindent 4 }}
  {{- else }} {}
  {{- end }}
{{- end -}}
