{{/* The config of the gate: `config`, and what the chart has to know itself. */}}
{{- define "seriesgate.config" -}}
{{- include "seriesgate.checkConfig" . -}}
{{- $all := ternary "[::]" .Values.listenAddress (eq .Values.listenAddress "::") -}}
{{- $host := ternary "127.0.0.1" $all (eq .Values.mode "sidecar") -}}
{{- $listen := dict "address" (printf "%s:%d" $host (int .Values.ports.write)) "drain_timeout" (printf "%ds" (int .Values.drainSeconds)) -}}
{{- $ours := dict "listen" $listen "admin" (dict "address" (printf "%s:%d" $all (int .Values.ports.admin))) -}}
{{- if eq .Values.mode "aggregator" -}}
{{- $_ := set $ours "data_dir" "/var/lib/seriesgate" -}}
{{- end -}}
{{- /* each gate writes series of its own: there are several of an aggregator, and one in each of an agent's pods */ -}}
{{- if ne .Values.mode "gateway" -}}
{{- $_ := set $ours "aggregation" (dict "instance_label" .Values.aggregation.instanceLabel) -}}
{{- end -}}
{{- toYaml (merge (deepCopy .Values.config) $ours) -}}
{{- end }}

{{/* Refuses what would not work, and says what would. */}}
{{- define "seriesgate.checkConfig" -}}
{{- $config := .Values.config | default dict -}}
{{- if not $config.upstreams -}}
{{- fail "config.upstreams is needed, it says where samples go: [{name: primary, url: http://victoria-metrics:8428/api/v1/write}] (or existingSecret, a Secret with a whole config)" -}}
{{- end -}}
{{- $listen := $config.listen | default dict -}}
{{- if hasKey $listen "address" -}}
{{- fail "config.listen.address is made by the chart: set ports.write and listenAddress" -}}
{{- end -}}
{{- if hasKey $listen "drain_timeout" -}}
{{- fail "config.listen.drain_timeout is made by the chart, which makes the pod's terminationGracePeriodSeconds from it, too: set drainSeconds" -}}
{{- end -}}
{{- if hasKey ($config.admin | default dict) "address" -}}
{{- fail "config.admin.address is made by the chart: set ports.admin and listenAddress" -}}
{{- end -}}
{{- if hasKey (($config.admin | default dict).tls | default dict) "client_ca_file" -}}
{{- fail "config.admin.tls.client_ca_file shuts out the kubelet, whose probes have no certificate: use config.admin.auth, which probes need not pass" -}}
{{- end -}}
{{- if hasKey $config "data_dir" -}}
{{- fail "config.data_dir is made by the chart: an aggregator has one (mode: aggregator), other modes keep nothing on disk" -}}
{{- end -}}
{{- if and (ne .Values.mode "gateway") (hasKey ($config.aggregation | default dict) "instance_label") -}}
{{- fail "config.aggregation.instance_label is made by the chart: set aggregation.instanceLabel" -}}
{{- end -}}
{{- if hasKey ($config.aggregation | default dict) "instance" -}}
{{- fail "config.aggregation.instance would be the same for all gates of this release, which then write to the same series: leave it out, it is the name of the pod" -}}
{{- end -}}
{{- include "seriesgate.checkQueue" . -}}
{{- if eq .Values.mode "gateway" -}}
{{- range $config.policies -}}
{{- $adds := or (eq (.action | default "") "aggregate") (eq (.on_collision | default "") "aggregate") (eq (.on_exceed | default "") "fold") -}}
{{- if and $adds (ne (.mode | default "enforce") "preview") -}}
{{- fail (printf "policy %s adds series up; gates of a Deployment keep no state, and their names are new with each rollout: use mode: aggregator" .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A queue on disk needs a disk, with room for it. */}}
{{- define "seriesgate.checkQueue" -}}
{{- $values := .Values -}}
{{- range .Values.config.upstreams -}}
{{- if eq (.delivery | default "sync") "queue" -}}
{{- if ne $values.mode "aggregator" -}}
{{- fail (printf "upstream %s has delivery: queue, which keeps requests on disk, and gates of mode %s have none: use mode: aggregator" .name $values.mode) -}}
{{- end -}}
{{- $queue := .queue | default dict -}}
{{- $most := $queue.max_size | default "4GiB" -}}
{{- $refused := $queue.dead_letters | default "64MiB" -}}
{{- $needed := addf (include "seriesgate.bytes" $most | float64) (include "seriesgate.bytes" $refused | float64) -}}
{{- if le (include "seriesgate.quantity" $values.persistence.size | float64) $needed -}}
{{- fail (printf "upstream %s may keep %s on disk (queue.max_size) and %s of what is refused (queue.dead_letters), and volumes have %s (persistence.size): give them more, or it less; a full volume takes no state of aggregations either" .name $most $refused $values.persistence.size) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A size as the config writes it (64MiB, 1GB), as a number. */}}
{{- define "seriesgate.bytes" -}}
{{- include "seriesgate.quantity" (regexReplaceAll "K$" (toString . | trimSuffix "B") "k") -}}
{{- end }}
