{{/*
The workloads of the map as JSON: {"items": [...]}, one for each processor, or for each lane of one that has lanes.
Each has: processor, lane, component (with the lane), name, runtime, gpu, replicas, group (consumer group), topics (what
the group reads), and the settings of `workloads.default` with those of `workloads.<processor>` over them.
*/}}
{{- define "tingjian.workloads" -}}
{{- if not .Values.processors -}}
{{- fail "there is no map: give it with -f topology.yaml" -}}
{{- end -}}
{{- $values := .Values -}}
{{- $full := include "tingjian.fullname" . -}}
{{- $items := list -}}
{{- range $processor := keys .Values.processors | sortAlpha -}}
  {{- $declared := index $values.processors $processor -}}
  {{- $own := mergeOverwrite (deepCopy $values.workloads.default) (deepCopy (default dict (index $values.workloads $processor))) -}}
  {{- $grouped := list -}}
  {{- range $topic := default list $declared.reads -}}
    {{- if not (default dict (index $values.topics $topic)).broadcast -}}{{- $grouped = append $grouped $topic -}}{{- end -}}
  {{- end -}}
  {{- $lanes := default (list "") $declared.lanes -}}
  {{- range $number, $lane := $lanes -}}
    {{- $component := ternary $processor (printf "%s-%s" $processor $lane) (empty $lane) -}}
    {{- $topics := $grouped -}}
    {{- if $lane -}}{{- $topics = list (index $grouped $number) -}}{{- end -}}
    {{- $items = append $items (dict
      "processor" $processor
      "lane" $lane
      "component" $component
      "name" (printf "%s-%s" $full $component)
      "runtime" $declared.runtime
      "gpu" (int (default 0 $declared.gpu))
      "replicas" (default (list 1 1) $declared.replicas)
      "group" (printf "tingjian-%s" (ternary $processor $component (eq $number 0)))
      "topics" $topics
      "own" $own
    ) -}}
  {{- end -}}
{{- end -}}
{{- dict "items" $items | toJson -}}
{{- end -}}

{{/* Settings that are not secret, as data of a ConfigMap. */}}
{{- define "tingjian.settings" -}}
{{- $settings := dict
  "kafka" .Values.kafka.bootstrap
  "kafka_security" .Values.kafka.security
  "kafka_replication" .Values.kafka.replication
  "clickhouse_database" .Values.clickhouse.database
  "health_host" "0.0.0.0"
  "metrics_port" 9090
  "home" "/var/lib/tingjian"
-}}
{{- if hasPrefix "sasl" .Values.kafka.security -}}{{- $_ := set $settings "kafka_sasl_mechanism" .Values.kafka.saslMechanism -}}{{- end -}}
{{- if .Values.kafka.privateAuthority -}}{{- $_ := set $settings "kafka_ca" "/etc/tingjian/kafka/ca.crt" -}}{{- end -}}
{{- if .Values.clickhouse.cluster -}}{{- $_ := set $settings "clickhouse_cluster" .Values.clickhouse.cluster -}}{{- end -}}
{{- if not .Values.clickhouse.existingSecret -}}{{- $_ := set $settings "clickhouse" .Values.clickhouse.dsn -}}{{- end -}}
{{- if .Values.schemaRegistry -}}{{- $_ := set $settings "schema_registry" .Values.schemaRegistry -}}{{- end -}}
{{- range $name, $value := mergeOverwrite $settings .Values.settings }}
TINGJIAN_{{ upper $name }}: {{ ternary (printf "%v" $value) (toString (int64 $value)) (not (kindIs "float64" $value)) | quote }}
{{- end }}
{{- end -}}

{{/* The map as the processors read it, byte for byte the same values; whole numbers stay whole. */}}
{{- define "tingjian.topology" -}}
topics:
{{- range $name, $topic := .Values.topics }}
  {{ $name }}: {{ include "tingjian.flow" $topic }}
{{- end }}
processors:
{{- range $name, $processor := .Values.processors }}
  {{ $name }}: {{ include "tingjian.flow" $processor }}
{{- end }}
{{- end -}}

{{- define "tingjian.flow" -}}
{ {{- range $i, $key := keys . | sortAlpha }}
{{- if $i }}, {{ end }}{{ $key }}: {{ $value := index $ $key }}
{{- if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end -}} }
{{- end -}}
