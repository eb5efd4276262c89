{{- define "relata.bootstrapServers" -}}
{{- if .Values.strimzi.enabled }}{{ include "relata.fullname" . }}-kafka-bootstrap:{{ include "relata.strimziPort" . }}
{{- else }}{{ .Values.kafka.bootstrapServers }}{{ end -}}
{{- end -}}

{{- define "relata.strimziPort" -}}
{{- if eq .Values.strimzi.authentication "none" }}9092{{ else }}9093{{ end -}}
{{- end -}}

{{/* How services and brokers prove themselves to each other: as the values say, or as Strimzi's listener wants it. */}}
{{- define "relata.kafkaProtocol" -}}
{{- if not .Values.strimzi.enabled }}{{ .Values.kafka.securityProtocol }}
{{- else }}{{ get (dict "none" "PLAINTEXT" "scram-sha-512" "SASL_SSL" "tls" "SSL") .Values.strimzi.authentication }}{{ end -}}
{{- end -}}

{{- define "relata.kafkaMechanism" -}}
{{- ternary "SCRAM-SHA-512" .Values.kafka.saslMechanism .Values.strimzi.enabled -}}
{{- end -}}

{{- define "relata.kafkaCertificates" -}}
{{- if eq (include "relata.kafkaProtocol" .) "SSL" }}
{{- if or .Values.strimzi.enabled .Values.kafka.clientCertificates }}true{{ end }}
{{- end -}}
{{- end -}}

{{- define "relata.kafkaCa" -}}
{{- if .Values.strimzi.enabled }}{{ include "relata.fullname" . }}-cluster-ca-cert{{ else }}{{ .Values.kafka.caSecret.name }}{{ end -}}
{{- end -}}

{{/* Keys of a user's Secret, as Strimzi names them. */}}
{{- define "relata.kafkaKeys" -}}
{{- if hasPrefix "SASL_" (include "relata.kafkaProtocol" .) }}{{ list "password" | toJson }}
{{- else if include "relata.kafkaCertificates" . }}{{ list "user.crt" "user.key" | toJson }}
{{- else }}[]{{ end -}}
{{- end -}}

{{/* Of a service: Strimzi names the Secret as the user. */}}
{{- define "relata.kafkaSecret" -}}
{{- ternary (include "relata.fullname" .root) (include "relata.secretPrefix" .root) .root.Values.strimzi.enabled }}-{{ .service }}-kafka
{{- end -}}

{{- define "relata.kafkaUser" -}}
{{- $named := ternary "" (get .root.Values.kafka.usernames .service) .root.Values.strimzi.enabled -}}
{{- $named | default (include "relata.kafkaSecret" .) -}}
{{- end -}}
