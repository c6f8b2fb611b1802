{{/* The gate as a container, for its own pods and for those of an agent. */}}
{{- define "seriesgate.container" -}}
{{- $scheme := ternary ", scheme: HTTPS" "" (eq (include "seriesgate.adminScheme" .) "HTTPS") -}}
name: seriesgate
image: {{ include "seriesgate.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [run, --config, /etc/seriesgate/seriesgate.yaml]
{{- with include "seriesgate.env" . }}
env:
  {{- . | trim | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if ne .Values.mode "sidecar" }}
  - name: write
    containerPort: {{ .Values.ports.write }}
  {{- end }}
  - name: gate-admin
    containerPort: {{ .Values.ports.admin }}
{{- /* On the admin port, which answers however many connections the write port has. */}}
startupProbe:
  httpGet: { path: /-/healthy, port: gate-admin{{ $scheme }} }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet: { path: /-/ready, port: gate-admin{{ $scheme }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /-/healthy, port: gate-admin{{ $scheme }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if and .Values.preStopSleepSeconds (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
lifecycle:
  preStop:
    sleep:
      seconds: {{ .Values.preStopSleepSeconds }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "seriesgate.containerSecurity" . | fromYaml }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: seriesgate-config
    mountPath: /etc/seriesgate
    readOnly: true
  {{- if eq .Values.mode "aggregator" }}
  - name: data
    mountPath: /var/lib/seriesgate
  {{- end }}
  {{- with .Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* How the admin port is spoken with. */}}
{{- define "seriesgate.adminScheme" -}}
{{- $admin := (.Values.config | default dict).admin | default dict -}}
{{- .Values.adminScheme | default (ternary "HTTPS" "HTTP" (hasKey $admin "tls")) -}}
{{- end }}

{{/* Of an endpoint that is scraped, what the admin port asks for. */}}
{{- define "seriesgate.endpoint" -}}
{{- $more := deepCopy (.Values.monitoring.endpoint | default dict) -}}
{{- if eq (include "seriesgate.adminScheme" .) "HTTPS" -}}
{{- $_ := set $more "scheme" "https" -}}
{{- end -}}
{{- with $more -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}

{{- define "seriesgate.env" -}}
{{- with .Values.logLevel }}
- name: SERIESGATE_LOG
  value: {{ . | quote }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* In the pod of an agent the pod's security context is the agent's, so all of ours goes to the container. */}}
{{- define "seriesgate.containerSecurity" -}}
{{- $own := deepCopy (.Values.securityContext | default dict) -}}
{{- if eq .Values.mode "sidecar" -}}
{{- /* what a container has of it; the rest is a pod's alone */ -}}
{{- $own = merge $own (pick (.Values.podSecurityContext | default dict) "appArmorProfile" "runAsGroup" "runAsNonRoot" "runAsUser" "seLinuxOptions" "seccompProfile" "windowsOptions") -}}
{{- end -}}
{{- toYaml $own -}}
{{- end }}

{{/* The config as a directory: a key that is mounted by itself (subPath) would never change. */}}
{{- define "seriesgate.volumes" -}}
- name: seriesgate-config
  secret:
    secretName: {{ include "seriesgate.configSecret" . | quote }}
    defaultMode: {{ ternary 292 288 (eq .Values.mode "sidecar") }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Longer than a stop may take: the sleep, the drain, and some reserve. */}}
{{- define "seriesgate.gracePeriod" -}}
{{- add (int .Values.preStopSleepSeconds) (int .Values.drainSeconds) 10 -}}
{{- end }}

{{- define "seriesgate.sidecar" -}}
{{- include "seriesgate.container" . }}
{{- if .Values.sidecar.native }}
{{- if semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version }}
{{- fail "sidecar.native needs Kubernetes 1.29 or newer" }}
{{- end }}
restartPolicy: Always
{{- end }}
{{- end }}
