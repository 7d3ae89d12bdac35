{{- define "keyferry.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "keyferry.account" -}}
{{- .Values.serviceAccount.name | default (include "keyferry.fullname" .) -}}
{{- end -}}

{{- define "keyferry.selector" -}}
app.kubernetes.io/name: {{ eq .Values.mode "reflector" | ternary "keyferry-reflector" "keyferry" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "keyferry.labels" -}}
{{ include "keyferry.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Labels and annotations of what a Job of Argo CD needs: there before it. */}}
{{- define "keyferry.before" -}}
labels:
  {{- include "keyferry.labels" . | nindent 2 }}
{{- if and (eq .Values.mode "job") (eq .Values.job.argocd "sync") }}
annotations:
  argocd.argoproj.io/sync-wave: "-2"
{{- end }}
{{- end -}}

{{/* From here on `.values` are those of this chart, and `.config` is the name of a ConfigMap, so that other charts can use it. */}}
{{- define "keyferry.image" -}}
{{- with .values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default "0.1.0" }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of each container, from its name to its arguments. */}}
{{- define "keyferry.container" -}}
name: keyferry
image: {{ include "keyferry.image" . | quote }}
imagePullPolicy: {{ .values.image.pullPolicy }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end -}}

{{- define "keyferry.env" -}}
- {name: KEYFERRY_LOG_FORMAT, value: {{ .values.log.format }}}
{{- if ne .values.log.level "info" }}
- {name: KEYFERRY_LOG, value: {{ .values.log.level | quote }}}
{{- end }}
{{- with .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "keyferry.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "keyferry.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "keyferry.resources" -}}
{{- if .values.resources -}}
{{ toYaml .values.resources }}
{{- else -}}
requests: {cpu: 10m, memory: {{ .request | default "16Mi" }}}
limits: {memory: {{ .limit | default "64Mi" }}}
{{- end -}}
{{- end -}}

{{- define "keyferry.mounts" -}}
- {name: config, mountPath: /etc/keyferry, readOnly: true}
{{- if and .values.vault.ca.configMap (ne .values.mode "reflector") }}
- {name: vault-ca, mountPath: /etc/vault, readOnly: true}
{{- end }}
{{- if and .values.vault.token.enabled (ne .values.mode "reflector") }}
- {name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "keyferry.inputs" -}}
- name: config
  configMap:
    name: {{ .config }}
{{- if and .values.vault.ca.configMap (ne .values.mode "reflector") }}
- name: vault-ca
  configMap:
    name: {{ .values.vault.ca.configMap }}
{{- end }}
{{- with .values.vault.token }}
{{- if and .enabled (ne $.values.mode "reflector") }}
- name: vault-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ .audience }}
          expirationSeconds: {{ .expirationSeconds }}
{{- end }}
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where a pod runs. */}}
{{- define "keyferry.placement" -}}
{{- with .values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Of a pod of yours: an init container that fills /vault/secrets.
  initContainers:
    {{- include "keyferry.init" (dict "values" .Values.keyferry "config" "NAME OF A CONFIGMAP") | nindent 4 }}
  volumes:
    {{- include "keyferry.init.volumes" (dict "values" .Values.keyferry "config" "NAME OF A CONFIGMAP") | nindent 4 }}
*/}}
{{- define "keyferry.init" -}}
- {{ include "keyferry.container" . | indent 2 | trim }}
  args: [init, --config, /etc/keyferry/keyferry.yaml, --deadline, {{ .values.init.deadline }}]
  env:
    {{- include "keyferry.env" . | nindent 4 }}
  securityContext:
    {{- include "keyferry.hardened" . | nindent 4 }}
  resources:
    {{- include "keyferry.resources" . | nindent 4 }}
  volumeMounts:
    - {name: secrets, mountPath: /vault/secrets}
    {{- include "keyferry.mounts" . | nindent 4 }}
{{- end -}}

{{- define "keyferry.init.volumes" -}}
- name: secrets
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{ include "keyferry.inputs" . }}
{{- end -}}

{{/*
Of a pod of yours: an init container that stays (Kubernetes 1.29), with keyferry.sidecar.volumes. The pod needs
`shareProcessNamespace: true`, and a `securityContext` with one runAsUser for all.
*/}}
{{- define "keyferry.sidecar" -}}
- {{ include "keyferry.container" . | indent 2 | trim }}
  restartPolicy: Always
  args: [sidecar, --config, /etc/keyferry/keyferry.yaml]
  env:
    {{- include "keyferry.env" . | nindent 4 }}
    - {name: KEYFERRY_LISTEN, value: {{ .values.sidecar.listen | quote }}}
    - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
    - {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
  ports:
    - {name: keyferry, containerPort: {{ splitList ":" .values.sidecar.listen | last }}}
  startupProbe:
    exec:
      command: [/keyferry, ready]
    periodSeconds: 2
    timeoutSeconds: 8
    failureThreshold: 150
  securityContext:
    runAsGroup: {{ .values.sidecar.runAsGroup }}
    {{- include "keyferry.hardened" . | nindent 4 }}
  resources:
    {{- include "keyferry.resources" . | nindent 4 }}
  volumeMounts:
    - {name: secrets, mountPath: /vault/secrets}
    {{- include "keyferry.mounts" . | nindent 4 }}
    - {name: kube-api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- end -}}

{{- define "keyferry.sidecar.volumes" -}}
{{ include "keyferry.init.volumes" . }}
- name: kube-api
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - {path: namespace, fieldRef: {fieldPath: metadata.namespace}}
{{- end -}}

{{/* The spec of a Job: one pass. `.of` has its times. */}}
{{- define "keyferry.pass" -}}
{{- $inner := dict "values" .Values "config" (include "keyferry.fullname" .) -}}
activeDeadlineSeconds: {{ .of.activeDeadlineSeconds }}
backoffLimit: {{ .of.backoffLimit }}
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
    # Configuration, rights, absent source, decryption, refusal: trying again would say the same.
    - action: FailJob
      onExitCodes:
        containerName: keyferry
        operator: In
        values: [2, 3, 4, 5, 6]
    # Unreachable, or a file that cannot be written: this may pass.
    - action: Count
      onExitCodes:
        containerName: keyferry
        operator: In
        values: [7, 8]
template:
  metadata:
    labels:
      {{- include "keyferry.selector" . | nindent 6 }}
      {{- with .Values.podLabels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .Values.podAnnotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    serviceAccountName: {{ include "keyferry.account" . }}
    automountServiceAccountToken: true
    restartPolicy: Never
    terminationGracePeriodSeconds: 10
    securityContext:
      {{- include "keyferry.podSecurityContext" . | nindent 6 }}
    {{- include "keyferry.placement" $inner | nindent 4 }}
    containers:
      - {{ include "keyferry.container" $inner | indent 8 | trim }}
        args: [job, --config, /etc/keyferry/keyferry.yaml, --deadline, {{ .of.deadline }}]
        env:
          {{- include "keyferry.env" $inner | nindent 10 }}
          # The Event of a failure appears at the Job, and so in Argo CD's tree.
          - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
          - {name: KEYFERRY_JOB_NAME, valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-name']"}}}
          - {name: KEYFERRY_JOB_UID, valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/controller-uid']"}}}
        securityContext:
          {{- include "keyferry.hardened" . | nindent 10 }}
        resources:
          {{- include "keyferry.resources" $inner | nindent 10 }}
        volumeMounts:
          {{- include "keyferry.mounts" $inner | nindent 10 }}
    volumes:
      {{- include "keyferry.inputs" $inner | nindent 6 }}
{{- end -}}
