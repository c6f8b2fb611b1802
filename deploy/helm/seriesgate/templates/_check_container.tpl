{{/* What a kubelet would refuse, after the pod is made. */}}
{{- define "seriesgate.checkImage" -}}
{{- $repository := .Values.image.repository -}}
{{- $part := "[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*" -}}
{{- $host := "([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\\[[0-9a-f:]+\\])(:[0-9]+)?/" -}}
{{- if not (regexMatch (printf "^(%s)?%s(/%s)*$" $host $part $part) $repository) -}}
{{- if regexMatch "[A-Z]" $repository -}}
{{- fail (printf "image.repository is %s, and there are no capitals in the name of an image: write small letters" $repository) -}}
{{- else if contains "@" $repository -}}
{{- fail (printf "image.repository is %s, which has a digest in it: give that as image.digest" $repository) -}}
{{- else if regexMatch ":[^/]*$" $repository -}}
{{- fail (printf "image.repository is %s, which has a tag in it: give that as image.tag" $repository) -}}
{{- end -}}
{{- fail (printf "image.repository is %s, and no image has such a name: write one such as registry.example.com/platform/seriesgate" $repository) -}}
{{- end -}}
{{- end }}

{{/* As the program reads SERIESGATE_LOG, which warns and goes on with info. */}}
{{- define "seriesgate.checkLogLevel" -}}
{{- $level := "^(?i)(off|error|warn|info|debug|trace|[0-5])$" -}}
{{- range $directive := splitList "," (.Values.logLevel | default "") -}}
{{- $directive = trim $directive -}}
{{- if and $directive (not (contains "[" $directive)) -}}
{{- $named := contains "=" $directive -}}
{{- $word := splitList "=" $directive | last | trim -}}
{{- $isModule := and (not $named) (or (eq $word "seriesgate") (contains "::" $word)) -}}
{{- if not (or $isModule (regexMatch $level $word)) -}}
{{- fail (printf "logLevel has %s, which is no level: off, error, warn, info, debug or trace; or by module, as in warn,seriesgate::egress=debug" (quote $word)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Names and paths are there once; what is mounted is there. */}}
{{- define "seriesgate.checkVolumes" -}}
{{- $own := dict "seriesgate-config" "/etc/seriesgate" -}}
{{- if eq .Values.mode "aggregator" -}}
{{- $_ := set $own "data" "/var/lib/seriesgate" -}}
{{- end -}}
{{- $names := list -}}
{{- range .Values.volumes -}}
{{- if hasKey $own .name -}}
{{- fail (printf "volumes has %s, which is a volume of the chart's own: give it another name" .name) -}}
{{- else if has .name $names -}}
{{- fail (printf "volumes has %s twice: give one of them another name" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $paths := values $own -}}
{{- $isSidecar := eq .Values.mode "sidecar" -}}
{{- range .Values.volumeMounts -}}
{{- $path := clean .mountPath -}}
{{- if hasKey $own .name -}}
{{- fail (printf "volumeMounts has %s, which is a volume of the chart's own, and is mounted at %s already: take it out" .name (get $own .name)) -}}
{{- else if has $path (values $own) -}}
{{- fail (printf "volumeMounts has %s at %s, where the chart mounts a volume of its own: mount it elsewhere" .name $path) -}}
{{- else if has $path $paths -}}
{{- fail (printf "volumeMounts has %s twice: mount one of them elsewhere" $path) -}}
{{- else if not (or $isSidecar (has .name $names)) -}}
{{- /* the pod of a sidecar has volumes that the chart does not know */ -}}
{{- fail (printf "volumeMounts has %s, and volumes has not: add it there" .name) -}}
{{- end -}}
{{- $paths = append $paths $path -}}
{{- end -}}
{{- end }}
