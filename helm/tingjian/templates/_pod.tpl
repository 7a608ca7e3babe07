{{/* Environment from Secrets; the same for workloads and for the set-up job. */}}
{{- define "tingjian.secretEnv" -}}
{{- if hasPrefix "sasl" .Values.kafka.security }}
{{- $secret := required "kafka.security sasl_* needs kafka.existingSecret, a Secret with username and password" .Values.kafka.existingSecret }}
- name: TINGJIAN_KAFKA_USERNAME
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: username}}
- name: TINGJIAN_KAFKA_PASSWORD
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: password}}
{{- end }}
{{- with .Values.clickhouse.existingSecret }}
- name: TINGJIAN_CLICKHOUSE
  valueFrom: {secretKeyRef: {name: {{ . }}, key: dsn}}
{{- end }}
{{- end -}}

{{/* Folders to write to, the map, and the authority of the brokers. */}}
{{- define "tingjian.mounts" -}}
- {name: map, mountPath: /opt/tingjian/topology.yaml, subPath: topology.yaml, readOnly: true}
- {name: home, mountPath: /var/lib/tingjian}
- {name: tmp, mountPath: /tmp}
{{- if .Values.kafka.privateAuthority }}
- {name: kafka, mountPath: /etc/tingjian/kafka, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes {root, config}: the name of the ConfigMap that holds the map. */}}
{{- define "tingjian.volumes" -}}
- name: map
  configMap: {name: {{ .config }}}
- name: home
  emptyDir: {sizeLimit: {{ .root.Values.scratchSize }}}
- name: tmp
  emptyDir: {sizeLimit: {{ .root.Values.scratchSize }}}
{{- if .root.Values.kafka.privateAuthority }}
- name: kafka
  secret:
    secretName: {{ required "kafka.privateAuthority needs kafka.existingSecret" .root.Values.kafka.existingSecret }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Takes {root, gpu, own}: where a pod may run. */}}
{{- define "tingjian.placement" -}}
{{- $values := .root.Values -}}
{{- $gpu := and (gt (int .gpu) 0) $values.gpu.enabled -}}
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if and $gpu $values.gpu.runtimeClassName }}
runtimeClassName: {{ $values.gpu.runtimeClassName }}
{{- end }}
{{- with merge (deepCopy .own.nodeSelector) (ternary $values.gpu.nodeSelector dict $gpu) }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with concat .own.tolerations (ternary $values.gpu.tolerations list $gpu) }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .own.affinity }}
affinity: {{ toJson . }}
{{- end }}
securityContext: {{ toJson $values.podSecurityContext }}
{{- end -}}

{{/*
Pod template of a workload. Takes one item of `tingjian.workloads` with the root context as `root`.
Liveness asks the process only; readiness that it has its partitions, its model and its state.
*/}}
{{- define "tingjian.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $full := include "tingjian.fullname" $root -}}
metadata:
  labels:
    {{- include "tingjian.workload.labels" . | nindent 4 }}
  annotations:
    # A new map or new settings are a new generation of pods.
    checksum/config: {{ printf "%s%s" (include "tingjian.settings" $root) (include "tingjian.topology" $root) | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "tingjian.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .own.terminationGracePeriodSeconds }}
  {{- include "tingjian.placement" . | trim | nindent 2 }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tingjian.workload.selector" $ | nindent 10 }}
    {{- end }}
  {{- if eq .runtime "job" }}
  restartPolicy: OnFailure
  {{- end }}
  containers:
    - name: {{ .processor }}
      image: {{ include "tingjian.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ concat (list "run" .processor) (ternary (list "--lane" .lane) list (not (empty .lane))) | toJson }}
      envFrom:
        - configMapRef: {name: {{ $full }}-settings}
        {{- with $values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        # The same name after a restart: the group keeps the partitions of a static member for it.
        - name: TINGJIAN_INSTANCE_ID
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- if dig "limits" "cpu" "" .own.resources }}
        # Libraries would count the cores of the node, not those of the container.
        {{- range $name := list "TINGJIAN_THREADS" "OMP_NUM_THREADS" "OPENBLAS_NUM_THREADS" }}
        - name: {{ $name }}
          valueFrom: {resourceFieldRef: {containerName: {{ $.processor }}, resource: limits.cpu}}
        {{- end }}
        {{- end }}
        {{- with include "tingjian.secretEnv" $root | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- if and .own.ports $values.door.existingSecret }}
        - name: TINGJIAN_DOOR_TOKEN
          valueFrom: {secretKeyRef: {name: {{ $values.door.existingSecret }}, key: token}}
        {{- if $values.door.twilio }}
        - name: TINGJIAN_TWILIO_AUTH_TOKEN
          valueFrom: {secretKeyRef: {name: {{ $values.door.existingSecret }}, key: twilio-auth-token}}
        {{- end }}
        {{- end }}
        {{- range $name, $value := default dict .own.env }}
        - {name: {{ $name }}, value: {{ $value | quote }}}
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: metrics, containerPort: 9090}
        {{- range $name, $port := default dict .own.ports }}
        - {name: {{ $name }}, containerPort: {{ int $port }}}
        {{- end }}
      {{- if ne .runtime "job" }}
      startupProbe:
        # Models are loaded, rules compiled and states read back before the first answer.
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 5
      {{- end }}
      {{- if eq .runtime "server" }}
      lifecycle:
        # Until no load balancer sends new calls any more.
        preStop: {sleep: {seconds: 10}}
      {{- end }}
      {{- $resources := deepCopy .own.resources }}
      {{- if and .gpu $values.gpu.enabled }}
      {{- $resources = mergeOverwrite $resources (dict "limits" (dict $values.gpu.resourceName .gpu)) }}
      {{- end }}
      resources: {{ toJson $resources }}
      securityContext: {{ toJson $values.securityContext }}
      volumeMounts:
        {{- include "tingjian.mounts" $root | nindent 8 }}
  volumes:
    {{- include "tingjian.volumes" (dict "root" $root "config" (printf "%s-topology" $full)) | nindent 4 }}
{{- end -}}
