{{- /*
A native sidecar for the pods of another chart, a kube-apiserver's above all: Lattice on loopback, on a PostgreSQL that all such pods
share. That chart depends on this one with sidecarOnly: true, and includes, with the dependency's name or alias:

  initContainers: {{- include "lattice.sidecar" .Subcharts.lattice | nindent 8 }}
  volumes: {{- include "lattice.sidecarVolumes" .Subcharts.lattice | nindent 8 }}

The pod needs fsGroup: 65532, enableServiceLinks: false and a terminationGracePeriodSeconds above 40.
*/ -}}
{{- define "lattice.sidecar" -}}
{{- include "lattice.checkDurability" . -}}
{{- if include "lattice.embedded" . -}}
{{- fail "a sidecar needs database.existingSecret: a SQLite file would be its pod's own" -}}
{{- end -}}
{{- if .Values.tls.existingSecret -}}
{{- fail "a sidecar speaks plaintext on loopback: tls.existingSecret is for Lattice's own pods" -}}
{{- end -}}
- name: lattice
  image: {{ include "lattice.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  # With it an init container is a sidecar.
  restartPolicy: Always
  args: [start]
  env:
    - {name: LATTICE_ENV, value: {{ ternary "production" "development" .Values.production }}}
    - {name: LATTICE_LISTENERS_GRPC_BIND, value: '127.0.0.1:2379'}
    - {name: LATTICE_TELEMETRY_METRICS_BIND, value: '0.0.0.0:9090'}
    - {name: LATTICE_TELEMETRY_JSON_LOGS, value: 'true'}
    - {name: LATTICE_PATHS_DATA_DIR, value: /var/lib/lattice}
    - {name: LATTICE_DURABILITY_MODE, value: {{ .Values.database.durability }}}
    - {name: LATTICE_DURABILITY_QUORUM_SIZE, value: {{ .Values.database.quorumSize | quote }}}
    - {name: LATTICE_BACKEND_URL_FILE, value: /etc/lattice/database/url}
    {{- if .Values.redis.existingSecret }}
    - {name: LATTICE_FANOUT_URL_FILE, value: /etc/lattice/redis/url}
    {{- end }}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: POD_IP
      valueFrom: {fieldRef: {fieldPath: status.podIP}}
    - {name: LATTICE_CLUSTER_NAME, value: $(POD_NAME)}
    - {name: LATTICE_CLUSTER_BIND, value: '0.0.0.0:2380'}
    - {name: LATTICE_CLUSTER_ADVERTISE, value: '$(POD_IP):2380'}
    {{- with .Values.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
  ports:
    - {name: nodes, containerPort: 2380}
    - {name: metrics, containerPort: 9090}
  # The pod's other containers are started once this has succeeded.
  startupProbe:
    httpGet: {path: /readyz, port: metrics}
    periodSeconds: 1
    failureThreshold: 90
  livenessProbe:
    httpGet: {path: /livez, port: metrics}
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe:
    httpGet: {path: /readyz, port: metrics}
    periodSeconds: 5
    timeoutSeconds: 5
  resources: {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    readOnlyRootFilesystem: true
  volumeMounts:
    - {name: lattice-database, mountPath: /etc/lattice/database, readOnly: true}
    - {name: lattice-data, mountPath: /var/lib/lattice}
    {{- if .Values.redis.existingSecret }}
    - {name: lattice-redis, mountPath: /etc/lattice/redis, readOnly: true}
    {{- end }}
{{- end -}}

{{- define "lattice.sidecarVolumes" -}}
- name: lattice-database
  secret: {secretName: {{ .Values.database.existingSecret }}, defaultMode: 0440}
- name: lattice-data
  emptyDir: {sizeLimit: 100Mi}
{{- if .Values.redis.existingSecret }}
- name: lattice-redis
  secret: {secretName: {{ .Values.redis.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}
