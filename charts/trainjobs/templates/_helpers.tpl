{{- define "trainjobs.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters at most, so that suffixes fit into 63. */}}
{{- define "trainjobs.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "trainjobs.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "trainjobs.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "trainjobs.selector" -}}
app.kubernetes.io/name: {{ include "trainjobs.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "trainjobs.labels" -}}
{{ include "trainjobs.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: trainjobs
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "trainjobs.serviceAccount" -}}
{{- default (include "trainjobs.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* Takes image and chart: the reference by digest where there is one, else by tag. */}}
{{- define "trainjobs.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "trainjobs.statusService" -}}
{{- printf "%s-status" (include "trainjobs.fullname" .) -}}
{{- end -}}

{{- define "trainjobs.statusHost" -}}
{{- printf "%s.%s.svc" (include "trainjobs.statusService" .) .Release.Namespace -}}
{{- end -}}

{{- define "trainjobs.statusNames" -}}
{{- $host := include "trainjobs.statusHost" . -}}
{{- list $host (printf "%s.%s" $host .Values.status.clusterDomain) | toJson -}}
{{- end -}}

{{- define "trainjobs.tlsSecret" -}}
{{- if eq .Values.status.tls.type "Secret" -}}
{{- required "status.tls.secretName: give the Secret's name, or another status.tls.type" .Values.status.tls.secretName -}}
{{- else -}}
{{- printf "%s-status-tls" (include "trainjobs.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Pod and container security that fits a namespace with the restricted Pod Security Standard. */}}
{{- define "trainjobs.podSecurity" -}}
{{- with .Values.operator.podSecurityContext -}}
{{- toYaml . -}}
{{- else -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}
{{- end -}}

{{- define "trainjobs.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
