{{- define "relata.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "relata.topology" -}}
{{- .Files.Get "files/topology.json" -}}
{{- end -}}

{{- define "relata.secretPrefix" -}}
{{- .Values.secrets.prefix | default (include "relata.fullname" .) -}}
{{- end -}}

{{/* What all of a release's own pods have in common, and nothing else has. */}}
{{- define "relata.selector" -}}
app.kubernetes.io/name: relata
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "relata.labels" -}}
{{ include "relata.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Of one process: root, service, role. */}}
{{- define "relata.processSelector" -}}
{{ include "relata.selector" .root }}
relata/service: {{ .service }}
relata/role: {{ .role }}
{{- end -}}

{{- define "relata.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.name }}-{{ .service }}
{{- $digest := get $image.digests .service -}}
{{- if $digest }}@{{ $digest }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{/* The roles that a service's pods have: one each, or all in one process. */}}
{{- define "relata.roles" -}}
{{- if eq .root.Values.layout "service" }}{{ list "all" | toJson }}{{ else }}{{ .spec.roles | toJson }}{{ end -}}
{{- end -}}

{{- define "relata.arguments" -}}
{{- if eq .role "api" }}{{ list "serve" "--only" "api" | toJson }}
{{- else if eq .role "all" }}{{ list "serve" | toJson }}
{{- else }}{{ list .role | toJson }}{{ end -}}
{{- end -}}

{{/* replicas and resources of a process: the role's, with what the service says otherwise. */}}
{{- define "relata.process" -}}
{{- $own := dig .role dict (get .root.Values.services .service) -}}
{{- mergeOverwrite (deepCopy (get .root.Values.roles .role)) $own | toJson -}}
{{- end -}}

{{/* Members of Kafka's groups may have names of their own, which a StatefulSet gives. */}}
{{- define "relata.kind" -}}
{{- $static := and .root.Values.kafka.staticMembership (eq .root.Values.eventLog "kafka") -}}
{{- if and $static (eq .role "consume") }}StatefulSet{{ else }}Deployment{{ end -}}
{{- end -}}

{{- define "relata.minReplicas" -}}
{{- (include "relata.process" . | fromJson).replicas -}}
{{- end -}}

{{- define "relata.isScaled" -}}
{{- if or (and .root.Values.autoscaling.enabled (eq .role "api")) (and .root.Values.keda.enabled (eq .role "consume")) }}true{{ end -}}
{{- end -}}

{{- define "relata.databaseHost" -}}
{{- $own := get .root.Values.services .service | default dict -}}
{{- if .root.Values.cloudnativepg.enabled }}{{ include "relata.fullname" .root }}-postgresql-rw
{{- else }}{{ dig "database" "host" .root.Values.database.host $own }}{{ end -}}
{{- end -}}

{{- define "relata.databaseCa" -}}
{{- if .Values.database.caSecret.name }}{{ .Values.database.caSecret.name }}
{{- else if .Values.cloudnativepg.enabled }}{{ include "relata.fullname" . }}-postgresql-ca{{ end -}}
{{- end -}}

{{/* The Secret of who makes databases and roles. */}}
{{- define "relata.administratorSecret" -}}
{{- $given := .Values.provision.administratorSecret.name -}}
{{- if and (not $given) .Values.cloudnativepg.enabled }}{{ include "relata.fullname" . }}-postgresql-superuser
{{- else }}{{ required "provision.administratorSecret.name is needed" $given }}{{ end -}}
{{- end -}}

{{- define "relata.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "relata.containerSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Of every pod: who it is, where it may run. */}}
{{- define "relata.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "relata.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "relata.probe" -}}
httpGet: {path: {{ .path }}, port: http}
periodSeconds: {{ .period }}
timeoutSeconds: {{ .timeout }}
failureThreshold: {{ .failures }}
{{- end -}}
