{{- define "lattice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The headless Service, which has the metrics port too. */ -}}
{{- define "lattice.podsService" -}}
{{ include "lattice.fullname" . | trunc 58 | trimSuffix "-" }}-pods
{{- end -}}

{{- define "lattice.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lattice.labels" -}}
{{ include "lattice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Of the pod of `helm test`: not those of Lattice's own pods, whose Services would take it in. */ -}}
{{- define "lattice.testLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ default .Chart.Name .Values.nameOverride | trunc 58 | trimSuffix "-" }}-test
{{- end -}}

{{- define "lattice.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lattice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "lattice.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* A SQLite file, which one process has for itself. */ -}}
{{- define "lattice.embedded" -}}
{{- if not .Values.database.existingSecret }}yes{{ end -}}
{{- end -}}

{{- /* What must not be combined, in Lattice's own pods and in sidecars. */ -}}
{{- define "lattice.checkDurability" -}}
{{- if and (eq .Values.database.durability "quorum") (lt (int .Values.database.quorumSize) 2) -}}
{{- fail "durability quorum needs quorumSize 2 or more: with 1 it is sync" -}}
{{- end -}}
{{- if and (eq .Values.database.durability "quorum") (include "lattice.embedded" .) -}}
{{- fail "durability quorum needs a PostgreSQL with standbys: set database.existingSecret" -}}
{{- end -}}
{{- if and (eq .Values.database.durability "sync") (gt (int .Values.database.quorumSize) 1) -}}
{{- fail "quorumSize counts with durability quorum only" -}}
{{- end -}}
{{- end -}}

{{- /* What must not be combined. */ -}}
{{- define "lattice.check" -}}
{{- if and .Values.sidecarOnly .Chart.IsRoot -}}
{{- fail "sidecarOnly renders nothing by itself: other charts include lattice.sidecar and lattice.sidecarVolumes" -}}
{{- end -}}
{{- $several := or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled -}}
{{- if and $several (include "lattice.embedded" .) -}}
{{- fail "several replicas cannot share a SQLite file: set database.existingSecret to a Secret with a PostgreSQL URL" -}}
{{- end -}}
{{- if and .Values.redis.existingSecret (include "lattice.embedded" .) -}}
{{- fail "redis is for several replicas on PostgreSQL: set database.existingSecret" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (eq (int .Values.maxConnectionAgeMs) 0) -}}
{{- fail "autoscaling needs maxConnectionAgeMs: clients stay on their connections, and new pods would get none of them" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" -}}
{{- end -}}
{{- include "lattice.checkDurability" . -}}
{{- if and (not .Values.tls.existingSecret) (ne .Values.service.type "ClusterIP") -}}
{{- fail "plaintext must not leave the cluster: set tls.existingSecret, or service.type ClusterIP" -}}
{{- end -}}
{{- if .Values.production -}}
{{- if not .Values.tls.existingSecret -}}
{{- fail "production needs tls.existingSecret" -}}
{{- end -}}
{{- if not .Values.tls.clientCertificates -}}
{{- fail "production needs tls.clientCertificates" -}}
{{- end -}}
{{- if and (include "lattice.embedded" .) (not .Values.sqlite.persistence) -}}
{{- fail "production needs database.existingSecret, or sqlite.persistence: the data would go with the pod" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (not .Values.prometheusRule.rules) -}}
{{- fail "prometheusRule needs the rules: --set-file prometheusRule.rules=deploy/prometheus/lattice.rules.yml" -}}
{{- end -}}
{{- if and .Values.grafanaDashboard.enabled (not .Values.grafanaDashboard.json) -}}
{{- fail "grafanaDashboard needs the dashboard: --set-file grafanaDashboard.json=deploy/grafana/lattice.json" -}}
{{- end -}}
{{- end -}}

{{- /* lattice.toml: what the other values say, with `config` over it. */ -}}
{{- define "lattice.toml" -}}
{{- $grpc := dict "bind" "0.0.0.0:2379" "max_connection_age_ms" (int .Values.maxConnectionAgeMs) -}}
{{- if .Values.tls.existingSecret -}}
{{- $_ := set $grpc "tls_chain_path" "/etc/lattice/tls/tls.crt" -}}
{{- $_ := set $grpc "tls_key_path" "/etc/lattice/tls/tls.key" -}}
{{- if .Values.tls.clientCertificates -}}
{{- $_ := set $grpc "client_ca_path" "/etc/lattice/tls/ca.crt" -}}
{{- end -}}
{{- else -}}
{{- $_ := set $grpc "allow_plaintext" true -}}
{{- end -}}
{{- $all := dict
  "listeners.grpc" $grpc
  "paths" (dict "data_dir" "/var/lib/lattice")
  "server" (dict "shutdown_delay_ms" 5000 "shutdown_timeout_ms" 25000)
  "telemetry" (dict "metrics_bind" "0.0.0.0:9090" "json_logs" true) -}}
{{- if not (include "lattice.embedded" .) -}}
{{- $_ := set $all "cluster" (dict "bind" "0.0.0.0:2380") -}}
{{- $_ := set $all "durability" (dict "mode" .Values.database.durability "quorum_size" (int .Values.database.quorumSize)) -}}
{{- end -}}
{{- $all = mergeOverwrite $all .Values.config -}}
env = {{ ternary "production" "development" .Values.production | quote }}
{{- range $section := keys $all | sortAlpha }}

[{{ $section }}]
{{- range $key := keys (get $all $section) | sortAlpha }}
{{- $value := get (get $all $section) $key }}
{{ $key }} = {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}
{{ end -}}
