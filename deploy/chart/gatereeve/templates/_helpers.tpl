{{/* Labels of every object. Takes a list: the root, and the component. */}}
{{- define "gatereeve.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: gatereeve
app.kubernetes.io/part-of: gatereeve
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{/* What selects pods: never more than this, a Deployment's selector cannot change. */}}
{{- define "gatereeve.controllers" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "gatereeve.image" -}}
{{- $repository := required "image.repository is required: no image is published yet; build one (Containerfile, or make image), push it, and name it here" .Values.image.repository -}}
{{- if .Values.image.digest }}{{ $repository }}@{{ .Values.image.digest }}
{{- else }}{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Pod Security `restricted`, and a little more. */}}
{{- define "gatereeve.container" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "gatereeve.pod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Apart from each other where there is room; never left unscheduled for that. Takes the labels. */}}
{{- define "gatereeve.spread" -}}
topologySpreadConstraints:
  {{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- . | nindent 14 }}
{{- end }}

{{/* What a pod's place is chosen by. Takes the values of controllers or of a gate. */}}
{{- define "gatereeve.place" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "gatereeve.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Who may read health and metrics, as `from` of a NetworkPolicy. */}}
{{- define "gatereeve.metricsFrom" -}}
{{- with .Values.networkPolicies.metricsFrom }}{{ toYaml . }}{{ else }}- namespaceSelector: {}{{ end }}
{{- end }}

{{/* Every gate over its defaults, with the ports that it opens, as a YAML map {gates: […]}. */}}
{{- define "gatereeve.gates" -}}
{{- $gates := list -}}
{{- $names := dict -}}
{{- range .Values.gates -}}
{{- if hasKey $names .name }}{{ fail (printf "gates: %s stands there twice" .name) }}{{ end -}}
{{- $_ := set $names .name true -}}
{{- $gate := mustMergeOverwrite (deepCopy $.Values.gateDefaults) . -}}
{{- if gt (int $gate.drain.leastSeconds) (int $gate.drain.longestSeconds) }}{{ fail (printf "gates: %s: drain: leastSeconds is more than longestSeconds" .name) }}{{ end -}}
{{- $ports := list -}}
{{- range $name, $port := dict "https" 443 "http" 80 -}}
{{- $target := get $gate (printf "%sPort" $name) | int -}}
{{- if $target -}}
{{- $ports = append $ports (dict "name" $name "port" $port "target" $target "node" (get $gate.service.nodePorts $name | int)) -}}
{{- end -}}
{{- end -}}
{{- if not $ports }}{{ fail (printf "gates: %s: httpsPort or httpPort is needed" .name) }}{{ end -}}
{{- $_ := set $gate "ports" $ports -}}
{{- $gates = append $gates $gate -}}
{{- end -}}
{{- toYaml (dict "gates" $gates) -}}
{{- end }}

{{- /* Whether certificates come from somewhere else. */}}
{{- define "gatereeve.mounted" -}}
{{- if or .Values.certificates.mounted .Values.certificates.issuerRef.name }}yes{{ end -}}
{{- end }}

{{- define "gatereeve.webhookClients" -}}
{{- if and .Values.webhook.enabled .Values.webhook.clients.configMap }}yes{{ end -}}
{{- end }}

{{- /* What all certificates of cert-manager have in common; both ends are server and client. */}}
{{- define "gatereeve.certificate" -}}
duration: {{ .Values.certificates.duration }}
privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
usages: [digital signature, server auth, client auth]
issuerRef: {{- toYaml .Values.certificates.issuerRef | nindent 2 }}
{{- end }}
