{{/* Full name of the release; 40 characters leave room for processor, lane and pod number. */}}
{{- define "tingjian.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What identifies the pods of this release. */}}
{{- define "tingjian.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tingjian.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "tingjian.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tingjian
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of one workload, of which `tingjian.workloads` made the context. */}}
{{- define "tingjian.workload.selector" -}}
{{ include "tingjian.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tingjian.workload.labels" -}}
{{ include "tingjian.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tingjian.image" -}}
{{- $image := .Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{- define "tingjian.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tingjian.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}
