{{/* The name of the chart's objects: the release's, with the chart's unless it is in there. */}}
{{- define "seriesgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "seriesgate.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "seriesgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" -}}
{{- end }}

{{/* By what the gate's own pods are found. */}}
{{- define "seriesgate.selector" -}}
app.kubernetes.io/name: {{ include "seriesgate.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "seriesgate.labels" -}}
{{ include "seriesgate.selector" . }}
app.kubernetes.io/component: {{ .Values.mode }}
app.kubernetes.io/version: {{ include "seriesgate.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The pods that have a gate in them: its own, or the agent's. */}}
{{- define "seriesgate.pods" -}}
{{- if eq .Values.mode "sidecar" -}}
{{ toYaml .Values.sidecar.podLabels }}
{{- else -}}
{{ include "seriesgate.selector" . }}
{{- end -}}
{{- end }}

{{/* Whether anybody knows which pods have a gate in them: "true" or nothing. */}}
{{- define "seriesgate.podsKnown" -}}
{{- if or (ne .Values.mode "sidecar") .Values.sidecar.podLabels -}}true{{- end -}}
{{- end }}

{{- define "seriesgate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "seriesgate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "seriesgate.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "seriesgate.configSecret" -}}
{{- .Values.existingSecret | default (printf "%s-config" (include "seriesgate.fullname" .)) -}}
{{- end }}

{{/* A tag may be twice as long as a label, and begin and end with what a label may not. */}}
{{- define "seriesgate.version" -}}
{{- .Values.image.tag | default .Chart.AppVersion | trimAll "_.-" | trunc 63 | trimAll "_.-" -}}
{{- end }}
