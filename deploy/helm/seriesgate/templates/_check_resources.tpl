{{/* What is asked for is no more than what is allowed; of what is not shared it is all that is allowed. */}}
{{- define "seriesgate.checkResources" -}}
{{- $resources := .Values.resources | default dict -}}
{{- $requests := $resources.requests | default dict -}}
{{- $limits := $resources.limits | default dict -}}
{{- range $_, $allowed := $limits -}}
{{- $_ := include "seriesgate.quantity" $allowed -}}
{{- end -}}
{{- range $what, $asked := $requests -}}
{{- $shared := has $what (list "cpu" "memory" "ephemeral-storage") -}}
{{- $quantity := include "seriesgate.quantity" $asked | float64 -}}
{{- if hasKey $limits $what -}}
{{- $allowed := get $limits $what -}}
{{- $limit := include "seriesgate.quantity" $allowed | float64 -}}
{{- if gt $quantity $limit -}}
{{- fail (printf "resources.requests.%s (%v) is above resources.limits.%s (%v), and Kubernetes takes no such pod: raise the limit, or lower the request" $what $asked $what $allowed) -}}
{{- end -}}
{{- if not (or $shared (eq $quantity $limit)) -}}
{{- fail (printf "resources.requests.%s (%v) is not resources.limits.%s (%v), and Kubernetes lends none of it: give both the same, or take the request out" $what $asked $what $allowed) -}}
{{- end -}}
{{- else if not $shared -}}
{{- fail (printf "resources.requests.%s (%v) has no limit, and Kubernetes lends none of it: give it as resources.limits.%s" $what $asked $what) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* There is something to scale by, and what the autoscaler divides by is there. */}}
{{- define "seriesgate.checkAutoscaling" -}}
{{- if and (eq .Values.mode "gateway") .Values.autoscaling.enabled -}}
{{- if .Values.autoscaling.cpuUtilization -}}
{{- $resources := .Values.resources | default dict -}}
{{- $requests := $resources.requests | default dict -}}
{{- /* Kubernetes takes the limit for the request where there is none */ -}}
{{- $cpu := get $requests "cpu" -}}
{{- if not (hasKey $requests "cpu") -}}
{{- $cpu = get ($resources.limits | default dict) "cpu" -}}
{{- end -}}
{{- if or (not $cpu) (eq (include "seriesgate.quantity" $cpu | float64) 0.0) -}}
{{- fail "autoscaling goes by percent of the CPU that is asked for, and none is: set resources.requests.cpu (250m by default), or autoscaling.enabled: false and replicas" -}}
{{- end -}}
{{- else if not .Values.autoscaling.inFlightBytes.enabled -}}
{{- fail "autoscaling has nothing to go by: set autoscaling.cpuUtilization (70 by default) or autoscaling.inFlightBytes.enabled: true, or autoscaling.enabled: false and replicas" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A quantity as Kubernetes writes it (250m, 1.5, 512Mi, 1e9), as a number. */}}
{{- define "seriesgate.quantity" -}}
{{- $text := toString . -}}
{{- $suffix := regexFind "[a-zA-Z]+$" $text -}}
{{- $factors := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- $number := trimSuffix $suffix $text -}}
{{- if not (and (hasKey $factors $suffix) (regexMatch "^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$" $number)) -}}
{{- fail (printf "%s in resources is no quantity of Kubernetes: write 250m or 0.25 for CPU, 512Mi for memory" $text) -}}
{{- end -}}
{{- mulf (float64 (trimSuffix "." $number)) (get $factors $suffix) -}}
{{- end }}
