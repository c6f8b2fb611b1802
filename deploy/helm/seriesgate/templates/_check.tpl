{{/* Refuses what Kubernetes would refuse later, or what would do nothing, and says what would work. For all modes, whoever makes the config. */}}
{{- define "seriesgate.check" -}}
{{- if and .Values.existingSecret .Values.config -}}
{{- fail "existingSecret and config are both given, and the gate reads one: take out config, or move it into the Secret (or take out existingSecret)" -}}
{{- end -}}
{{- if and .Values.existingSecret .Values.restartOnConfigChange -}}
{{- fail "restartOnConfigChange sees a change of config only, not one of the Secret that existingSecret names: take it out, and restart with kubectl rollout restart" -}}
{{- end -}}
{{- if eq (int .Values.ports.write) (int .Values.ports.admin) -}}
{{- fail "ports.write and ports.admin are the same: give them different ones" -}}
{{- end -}}
{{- if .Values.logLevel -}}
{{- range .Values.env -}}
{{- if has (.name | default "") (list "SERIESGATE_LOG" "SERIESGATE_LOG_LEVEL") -}}
{{- fail (printf "%s in env is what logLevel sets: give one of the two" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "seriesgate.checkName" . -}}
{{- include "seriesgate.checkLabels" . -}}
{{- include "seriesgate.checkImage" . -}}
{{- include "seriesgate.checkLogLevel" . -}}
{{- include "seriesgate.checkVolumes" . -}}
{{- include "seriesgate.checkResources" . -}}
{{- include "seriesgate.checkAutoscaling" . -}}
{{- if eq .Values.mode "sidecar" -}}
{{- include "seriesgate.checkSidecar" . -}}
{{- end -}}
{{- end }}

{{/* The name of a Service begins with a letter, and has no dot; that of a release may, and so may nameOverride, which is a label, too. */}}
{{- define "seriesgate.checkName" -}}
{{- $name := include "seriesgate.fullname" . -}}
{{- if and (ne .Values.mode "sidecar") (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- $rule := "it begins with a letter, and has letters, digits and dashes only; set fullnameOverride to such a name" -}}
{{- if regexMatch "^[a-z][-a-z0-9]*$" .Release.Name -}}
{{- fail (printf "Kubernetes takes no Service of the name %s, which ends with nameOverride (%s): %s, or take nameOverride out" $name .Values.nameOverride $rule) -}}
{{- end -}}
{{- fail (printf "Kubernetes takes no Service of the name %s, which is made of the release's: %s, or name the release otherwise" $name $rule) -}}
{{- end -}}
{{- end }}

{{/* A key that is given twice is no YAML; and a label of the selectors that is another one hides the pods from them. */}}
{{- define "seriesgate.checkLabels" -}}
{{- $own := include "seriesgate.labels" . | fromYaml -}}
{{- $monitoring := .Values.monitoring -}}
{{- $given := dict "podLabels" .Values.podLabels -}}
{{- range $part := list "podMonitor" "serviceMonitor" "vmPodScrape" "prometheusRule" "dashboards" -}}
{{- $_ := set $given (printf "monitoring.%s.labels" $part) (get $monitoring $part).labels -}}
{{- end -}}
{{- range $value, $labels := $given -}}
{{- range $label, $_ := $labels -}}
{{- if hasKey $own $label -}}
{{- fail (printf "%s has the label %s, which the chart sets itself: take it out (app.kubernetes.io/name is nameOverride, app.kubernetes.io/instance the name of the release), or use a label of your own" $value $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if hasKey (.Values.podAnnotations | default dict) "seriesgate/config" -}}
{{- fail "podAnnotations has seriesgate/config, which the chart sets itself (restartOnConfigChange): take it out" -}}
{{- end -}}
{{- end }}

{{/* The pod is the agent's. */}}
{{- define "seriesgate.checkSidecar" -}}
{{- $values := .Values -}}
{{- range $key := list "podLabels" "podAnnotations" "nodeSelector" "tolerations" "affinity" "priorityClassName" -}}
{{- if get $values $key -}}
{{- fail (printf "%s is of the pod, and a sidecar's pod is the agent's: take it out, and give it to the agent" $key) -}}
{{- end -}}
{{- end -}}
{{- if .Values.sidecar.networkPolicy -}}
{{- if not .Values.sidecar.podLabels -}}
{{- fail "sidecar.networkPolicy needs sidecar.podLabels: the labels of the agent's pods" -}}
{{- end -}}
{{- if not .Values.networkPolicy.enabled -}}
{{- fail "sidecar.networkPolicy makes nothing while networkPolicy.enabled is false: set that to true, or this to false" -}}
{{- end -}}
{{- end -}}
{{- end }}
