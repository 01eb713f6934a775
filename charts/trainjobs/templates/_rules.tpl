{{/* What the operator may do where runs are. Nothing with Secrets: it never reads one. */}}
{{- define "trainjobs.rulesWhereRunsAre" -}}
- apiGroups: [trainjobs.dev]
  resources: [rewardmodelruns, sftruns, rlhfruns, pretrainruns]
  verbs: [get, list, watch, patch]
- apiGroups: [trainjobs.dev]
  resources: [rewardmodelruns/status, sftruns/status, rlhfruns/status, pretrainruns/status]
  verbs: [patch]
# Where OwnerReferencesPermissionEnforcement is on, an object may name its owner only with this.
- apiGroups: [trainjobs.dev]
  resources: [rewardmodelruns/finalizers, sftruns/finalizers, rlhfruns/finalizers, pretrainruns/finalizers]
  verbs: [update]
- apiGroups: [kubeflow.org]
  resources: [pytorchjobs]
  verbs: [get, list, watch, create, delete]
# Patched is the annotation with the authority of the status server, which may change while a pod runs.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
# Whether the one that a run names is there: a job without it would wait without a word.
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, create]
# The clean-up of stored data, for runPolicy.deletionPolicy: Delete.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create]
# Listed to say why the clean-up's Job gets no pod: only events tell of a quota that is in its way.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch, list]
{{- range $scheduler := .Values.gangSchedulers }}
# One PodGroup for every attempt of a run that asks for it, which goes with the attempt.
- apiGroups: [{{ index (dict "Coscheduling" "scheduling.x-k8s.io" "Volcano" "scheduling.volcano.sh") $scheduler }}]
  resources: [podgroups]
  verbs: [get, create, delete]
{{- end }}
{{- end -}}
