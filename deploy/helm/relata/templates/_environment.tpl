{{/* Settings of one process of a service: root, service, role. Secrets are files, so that they are seen in no environment. */}}
{{- define "relata.environment" -}}
{{- $root := .root -}}{{- $values := .root.Values -}}{{- $service := .service -}}
{{- $upper := upper $service -}}
{{- $address := printf "%s:%v/%s" (include "relata.databaseHost" .) $values.database.port $service -}}
{{- $pooler := and $values.database.pooler.host (not (include "relata.ownsTables" .)) -}}
{{- $pooled := printf "%s:%v/%s" $values.database.pooler.host $values.database.pooler.port $service -}}
- {name: {{ $upper }}_DATABASE_URL, value: "postgresql://{{ $service }}_app@{{ ternary $pooled $address (not (empty $pooler)) }}"}
{{- if $pooler }}
- {name: DATABASE_POOLER, value: transaction}
{{- end }}
- {name: {{ $upper }}_DATABASE_PASSWORD_FILE, value: /etc/relata/service/app-password}
- {name: {{ $upper }}_SYSTEM_DATABASE_URL, value: "postgresql://{{ $service }}_system@{{ $address }}"}
- {name: {{ $upper }}_SYSTEM_DATABASE_PASSWORD_FILE, value: /etc/relata/service/system-password}
{{- if include "relata.ownsTables" . }}
- {name: {{ $upper }}_OWNER_DATABASE_URL, value: "postgresql://{{ $service }}_owner@{{ $address }}"}
- {name: {{ $upper }}_OWNER_DATABASE_PASSWORD_FILE, value: /etc/relata/owner/password}
{{- end }}
{{- if eq .role "provision" }}
- {name: ADMIN_DATABASE_URL, value: "postgresql://{{ $values.provision.administrator }}@{{ include "relata.databaseHost" . }}:{{ $values.database.port }}/postgres"}
- {name: ADMIN_DATABASE_PASSWORD_FILE, value: /etc/relata/administrator/password}
{{- end }}
- {name: SECRET_FILE, value: /etc/relata/service/secret}
{{- if $values.rotation.secret }}
- {name: SECRET_FALLBACKS_FILE, value: /etc/relata/service/secret-fallbacks}
{{- end }}
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
{{- if and $values.tracing.enabled (not (include "relata.ownsTables" .)) }}
- {name: OTEL_TRACES_EXPORTER, value: otlp}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ $values.tracing.endpoint | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: {{ $values.tracing.sampler }}}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ $values.tracing.share | quote }}}
{{- end }}
{{- if eq $service "gateway" }}
{{ include "relata.gatewayEnvironment" . }}
{{- else if and (eq $service "campaigns") (not (include "relata.ownsTables" .)) }}
{{ include "relata.mailEnvironment" . }}
{{- end }}
{{- range $name, $value := merge (deepCopy (dig "environment" dict (get $values.services $service))) $values.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end -}}

{{/* Whether a process acts as the database's owner. */}}
{{- define "relata.ownsTables" -}}
{{- if has .role (list "migrate" "provision") }}true{{ end -}}
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
- {name: ADMIN_KEY_FILE, value: /etc/relata/service/admin-key}
{{- if $root.Values.rotation.adminKey }}
- {name: ADMIN_KEY_FALLBACKS_FILE, value: /etc/relata/service/admin-key-fallbacks}
{{- end }}
- {name: SIGNING_KEY_FILE, value: /etc/relata/service/signing-key.json}
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
{{- if include "relata.mailSecret" . }}
- {name: SMTP_PASSWORD_FILE, value: /etc/relata/mail/password}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secret of who sends mail: campaigns, not its migrations. */}}
{{- define "relata.mailSecret" -}}
{{- if and (eq .service "campaigns") (not (include "relata.ownsTables" .)) .root.Values.smtp.host }}{{ .root.Values.smtp.passwordSecret.name }}{{ end -}}
{{- end -}}

{{- define "relata.eventLogEnvironment" -}}
{{- $root := .root -}}{{- $values := .root.Values -}}
- {name: BUS, value: {{ $values.eventLog }}}
{{- if eq $values.eventLog "kafka" }}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ include "relata.bootstrapServers" $root | quote }}}
{{- if not (include "relata.ownsTables" .) }}
- {name: KAFKA_REPLICATION_FACTOR, value: {{ $values.kafka.replicationFactor | quote }}}
- {name: KAFKA_CREATE_TOPICS, value: {{ and $values.kafka.createTopics (not $values.strimzi.enabled) | quote }}}
{{ include "relata.kafkaAccessEnvironment" . }}
{{- if and (eq .role "consume") $values.kafka.staticMembership }}
- name: KAFKA_GROUP_INSTANCE_ID
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- end }}
{{- else }}
- {name: EVENT_LOG_URL, value: "postgresql://event_log@{{ include "relata.databaseHost" (dict "root" $root "service" "event_log") }}:{{ $values.database.port }}/event_log"}
- {name: EVENT_LOG_PASSWORD_FILE, value: /etc/relata/event-log/password}
{{- end }}
{{- end -}}

{{- define "relata.kafkaAccessEnvironment" -}}
{{- $protocol := include "relata.kafkaProtocol" .root -}}
- {name: KAFKA_SECURITY_PROTOCOL, value: {{ $protocol }}}
{{- if hasPrefix "SASL_" $protocol }}
- {name: KAFKA_SASL_MECHANISM, value: {{ include "relata.kafkaMechanism" .root }}}
- {name: KAFKA_SASL_USERNAME, value: {{ include "relata.kafkaUser" . | quote }}}
- {name: KAFKA_SASL_PASSWORD_FILE, value: /etc/relata/kafka/password}
{{- end }}
{{- if hasSuffix "SSL" $protocol }}
{{- if include "relata.kafkaCa" .root }}
- {name: KAFKA_SSL_CA_FILE, value: /etc/relata/kafka/ca.crt}
{{- end }}
{{- if include "relata.kafkaCertificates" .root }}
- {name: KAFKA_SSL_CERTIFICATE_FILE, value: /etc/relata/kafka/user.crt}
- {name: KAFKA_SSL_KEY_FILE, value: /etc/relata/kafka/user.key}
{{- end }}
{{- end }}
{{- end -}}
