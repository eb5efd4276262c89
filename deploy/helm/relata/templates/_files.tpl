{{/* What a process reads as files, and the one folder that it writes to: root, service, role, tmp (size). With the pod's fsGroup
     the kubelet adds the group's right to read: 0400 is 0440 for user 10001. Volumes, not subPath: these would never be renewed. */}}
{{- define "relata.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmp }}}
{{- range $name, $sources := include "relata.secretFiles" . | fromYaml }}
- name: {{ $name }}
  projected:
    defaultMode: 0400
    sources: {{- range $sources }}
      - secret: {{ toJson . }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "relata.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range $name, $_ := include "relata.secretFiles" . | fromYaml }}
- {name: {{ $name }}, mountPath: /etc/relata/{{ $name }}, readOnly: true}
{{- end }}
{{- end -}}

{{/* By folder of /etc/relata: Secrets with their keys and the files' names. */}}
{{- define "relata.secretFiles" -}}
{{- $root := .root -}}{{- $values := .root.Values -}}{{- $owns := include "relata.ownsTables" . -}}
{{- $prefix := include "relata.secretPrefix" $root -}}
service:
  - name: {{ $prefix }}-{{ .service }}
    items:
      {{- $gateway := eq .service "gateway" }}
      {{- $keys := concat (list "app-password" "system-password" "secret") (ternary (list "admin-key" "signing-key.json") list $gateway) }}
      {{- $keys = concat $keys (ternary (list "secret-fallbacks") list $values.rotation.secret) }}
      {{- $keys = concat $keys (ternary (list "admin-key-fallbacks") list (and $gateway $values.rotation.adminKey)) }}
      {{- range $key := $keys }}
      - {key: {{ $key }}, path: {{ $key }}}
      {{- end }}
verification:
  - name: {{ $prefix }}-verification
    items: [{key: jwks.json, path: jwks.json}]
{{- with include "relata.databaseCa" $root }}
database:
  - name: {{ . }}
    items: [{key: {{ $values.database.caSecret.key }}, path: ca.crt}]
{{- end }}
{{- if $owns }}
owner:
  - name: {{ $prefix }}-{{ .service }}-owner
    items: [{key: password, path: password}]
{{- end }}
{{- if eq .role "provision" }}
administrator:
  - name: {{ include "relata.administratorSecret" $root }}
    items: [{key: {{ $values.provision.administratorSecret.key }}, path: password}]
{{- end }}
{{- if eq $values.eventLog "embedded" }}
event-log:
  - name: {{ $prefix }}-event-log
    items: [{key: password, path: password}]
{{- else if not $owns }}
{{ include "relata.kafkaFiles" . }}
{{- end }}
{{- with include "relata.mailSecret" . }}
mail:
  - name: {{ . }}
    items: [{key: {{ $values.smtp.passwordSecret.key }}, path: password}]
{{- end }}
{{- end -}}

{{- define "relata.kafkaFiles" -}}
{{- $protocol := include "relata.kafkaProtocol" .root -}}
{{- $ca := ternary (include "relata.kafkaCa" .root) "" (hasSuffix "SSL" $protocol) -}}
{{- $keys := include "relata.kafkaKeys" .root | fromJsonArray -}}
{{- if or $ca $keys -}}
kafka:
{{- with $keys }}
  - name: {{ include "relata.kafkaSecret" $ }}
    items:
      {{- range . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end }}
{{- with $ca }}
  - name: {{ . }}
    items: [{key: {{ $.root.Values.kafka.caSecret.key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}
