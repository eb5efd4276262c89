{{- define "relata.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .secret }}, key: {{ .key }}{{ if .optional }}, optional: true{{ end }}}
{{- end -}}

{{/* Settings of one process of a service: root, service. Passwords come before the addresses that are made of them. */}}
{{- define "relata.environment" -}}
{{- $root := .root -}}{{- $values := .root.Values -}}{{- $service := .service -}}
{{- $prefix := printf "%s-%s" (include "relata.secretPrefix" $root) $service -}}
{{- $upper := upper $service -}}
{{- $address := printf "%s:%v/%s" (include "relata.databaseHost" .) $values.database.port $service -}}
{{ include "relata.secretVariable" (dict "name" "APP_PASSWORD" "secret" $prefix "key" "app-password") }}
{{ include "relata.secretVariable" (dict "name" "SYSTEM_PASSWORD" "secret" $prefix "key" "system-password") }}
- name: {{ $upper }}_DATABASE_URL
  value: postgresql://{{ $service }}_app:$(APP_PASSWORD)@{{ $address }}
- name: {{ $upper }}_SYSTEM_DATABASE_URL
  value: postgresql://{{ $service }}_system:$(SYSTEM_PASSWORD)@{{ $address }}
{{ include "relata.secretVariable" (dict "name" "SECRET" "secret" $prefix "key" "secret") }}
{{ include "relata.secretVariable" (dict "name" "SECRET_FALLBACKS" "secret" $prefix "key" "secret-fallbacks" "optional" true) }}
{{ include "relata.eventLogEnvironment" . }}
{{ include "relata.databaseTls" $root }}
- {name: ENVIRONMENT, value: production}
- {name: HOST, value: 0.0.0.0}
- {name: PORT, value: "8000"}
- {name: LOG_LEVEL, value: {{ $values.logLevel }}}
- {name: DATABASE_POOL_SIZE, value: {{ $values.database.poolSize | quote }}}
- {name: MAX_UPLOAD_BYTES, value: {{ $values.maxUploadBytes | int64 | quote }}}
- {name: SHUTDOWN_DELAY_SECONDS, value: {{ $values.shutdown.delaySeconds | quote }}}
- {name: SHUTDOWN_GRACE_SECONDS, value: {{ $values.shutdown.graceSeconds | quote }}}
- {name: INTERNAL_JWKS_FILE, value: /etc/relata/verification/jwks.json}
{{- if eq $service "gateway" }}
{{ include "relata.gatewayEnvironment" . }}
{{- else if eq $service "campaigns" }}
{{ include "relata.mailEnvironment" . }}
{{- end }}
{{- range $name, $value := merge (deepCopy (dig "environment" dict (get $values.services $service))) $values.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{/* libpq's own variables, which asyncpg reads for every connection. */}}
{{- define "relata.databaseTls" -}}
- {name: PGSSLMODE, value: {{ .Values.database.sslMode }}}
{{- if include "relata.databaseCa" . }}
- {name: PGSSLROOTCERT, value: /etc/relata/database/ca.crt}
{{- end }}
{{- end -}}

{{- define "relata.gatewayEnvironment" -}}
{{- $root := .root -}}
{{- $secret := printf "%s-gateway" (include "relata.secretPrefix" $root) -}}
{{ include "relata.secretVariable" (dict "name" "ADMIN_KEY" "secret" $secret "key" "admin-key") }}
{{ include "relata.secretVariable" (dict "name" "ADMIN_KEY_FALLBACKS" "secret" $secret "key" "admin-key-fallbacks" "optional" true) }}
- {name: SIGNING_KEY_FILE, value: /etc/relata/signing/signing-key.json}
- {name: PUBLIC_URL, value: {{ $root.Values.publicUrl | quote }}}
- {name: TRUSTED_PROXY_HOPS, value: {{ $root.Values.trustedProxyHops | quote }}}
- {name: OUTBOUND_TRUSTED_HOSTS, value: {{ $root.Values.outboundTrustedHosts | quote }}}
{{- range $other, $_ := (include "relata.topology" $root | fromJson).services }}
{{- if ne $other "gateway" }}
- {name: {{ upper $other }}_URL, value: "http://{{ include "relata.fullname" $root }}-{{ $other }}:8000"}
{{- end }}
{{- end }}
{{- end -}}

{{- define "relata.mailEnvironment" -}}
{{- $smtp := .root.Values.smtp -}}
- {name: PUBLIC_URL, value: {{ .root.Values.publicUrl | quote }}}
{{- if $smtp.host }}
- {name: SMTP_HOST, value: {{ $smtp.host | quote }}}
- {name: SMTP_PORT, value: {{ $smtp.port | quote }}}
- {name: SMTP_TLS, value: {{ $smtp.tls | quote }}}
- {name: MAIL_FROM, value: {{ required "smtp.from is needed with smtp.host" $smtp.from | quote }}}
{{- with $smtp.username }}
- {name: SMTP_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- with $smtp.passwordSecret.name }}
{{ include "relata.secretVariable" (dict "name" "SMTP_PASSWORD" "secret" . "key" $smtp.passwordSecret.key) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "relata.eventLogEnvironment" -}}
{{- $root := .root -}}{{- $values := .root.Values -}}
- {name: BUS, value: {{ $values.eventLog }}}
{{- if eq $values.eventLog "kafka" }}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ include "relata.bootstrapServers" $root | quote }}}
- {name: KAFKA_REPLICATION_FACTOR, value: {{ $values.kafka.replicationFactor | quote }}}
{{- range $name, $value := $values.kafka.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $key := $values.kafka.userSecretEnvironment }}
{{ include "relata.secretVariable" (dict "name" $name "secret" (printf "%s-%s-kafka" (include "relata.fullname" $root) $.service) "key" $key) }}
{{- end }}
{{- else }}
{{ include "relata.secretVariable" (dict "name" "EVENT_LOG_PASSWORD" "secret" (printf "%s-event-log" (include "relata.secretPrefix" $root)) "key" "password") }}
- name: EVENT_LOG_URL
  value: postgresql://event_log:$(EVENT_LOG_PASSWORD)@{{ include "relata.databaseHost" (dict "root" $root "service" "event_log") }}:{{ $values.database.port }}/event_log
{{- end }}
{{- end -}}

{{/* What a process reads as files, and the one folder that it writes to. */}}
{{- define "relata.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: verification, mountPath: /etc/relata/verification, readOnly: true}
{{- if eq .service "gateway" }}
- {name: signing, mountPath: /etc/relata/signing, readOnly: true}
{{- end }}
{{- if include "relata.databaseCa" .root }}
- {name: database-ca, mountPath: /etc/relata/database, readOnly: true}
{{- end }}
{{- end -}}

{{- define "relata.volumes" -}}
{{- $prefix := include "relata.secretPrefix" .root -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .tmp }}}
- name: verification
  secret: {secretName: {{ $prefix }}-verification, defaultMode: 0440}
{{- if eq .service "gateway" }}
- name: signing
  secret:
    secretName: {{ $prefix }}-gateway
    defaultMode: 0440
    items: [{key: signing-key.json, path: signing-key.json}]
{{- end }}
{{- with include "relata.databaseCa" .root }}
- name: database-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $.root.Values.database.caSecret.key }}, path: ca.crt}]
{{- end }}
{{- end -}}
