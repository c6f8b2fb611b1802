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
{{- if eq (.name | default "") "SERIESGATE_LOG" -}}
{{- fail "SERIESGATE_LOG in env is what logLevel sets: give one of the two" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "seriesgate.checkName" . -}}
{{- include "seriesgate.checkLabels" . -}}
{{- include "seriesgate.checkResources" . -}}
{{- if eq .Values.mode "sidecar" -}}
{{- include "seriesgate.checkSidecar" . -}}
{{- end -}}
{{- end }}

{{/* The name of a Service begins with a letter, and has no dot; that of a release may. */}}
{{- define "seriesgate.checkName" -}}
{{- $name := include "seriesgate.fullname" . -}}
{{- if and (ne .Values.mode "sidecar") (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "Kubernetes takes no Service of the name %s, which is made of the release's: it begins with a letter, and has letters, digits and dashes only; set fullnameOverride to such a name, or name the release otherwise" $name) -}}
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

{{/* What is asked for is no more than what is allowed, and what the autoscaler divides by is there. */}}
{{- define "seriesgate.checkResources" -}}
{{- $resources := .Values.resources | default dict -}}
{{- $requests := $resources.requests | default dict -}}
{{- $limits := $resources.limits | default dict -}}
{{- range $what, $asked := $requests -}}
{{- $allowed := get $limits $what -}}
{{- if and (hasKey $limits $what) (gt (include "seriesgate.quantity" $asked | float64) (include "seriesgate.quantity" $allowed | float64)) -}}
{{- fail (printf "resources.requests.%s (%v) is above resources.limits.%s (%v), and Kubernetes takes no such pod: raise the limit, or lower the request" $what $asked $what $allowed) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.mode "gateway") .Values.autoscaling.enabled -}}
{{- /* Kubernetes takes the limit for the request where there is none */ -}}
{{- $cpu := get $requests "cpu" -}}
{{- if not (hasKey $requests "cpu") -}}
{{- $cpu = get $limits "cpu" -}}
{{- end -}}
{{- if or (not $cpu) (eq (include "seriesgate.quantity" $cpu | float64) 0.0) -}}
{{- fail "autoscaling goes by percent of the CPU that is asked for, and none is: set resources.requests.cpu (250m by default), or autoscaling.enabled: false and replicas" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A quantity as Kubernetes writes it (250m, 1.5, 512Mi, 1e9), as a number. */}}
{{- define "seriesgate.quantity" -}}
{{- $text := toString . -}}
{{- $suffix := regexFind "[a-zA-Z]+$" $text -}}
{{- $factors := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- $number := trimSuffix $suffix $text -}}
{{- if not (and (hasKey $factors $suffix) (regexMatch "^[0-9]*[.]?[0-9]+([.]|[eE][-+]?[0-9]+)?$" $number)) -}}
{{- fail (printf "%s in resources is no quantity of Kubernetes: write 250m or 0.25 for CPU, 512Mi for memory" $text) -}}
{{- end -}}
{{- mulf (float64 (trimSuffix "." $number)) (get $factors $suffix) -}}
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
