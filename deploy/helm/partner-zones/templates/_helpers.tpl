{{- define "partner-zones.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "partner-zones.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "partner-zones.labels" -}}
{{ include "partner-zones.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What the configuration says of the things that Kubernetes must know too, as YAML. */}}
{{- define "partner-zones.config" -}}
{{- $config := .Values.config | fromYaml }}
{{- with $config.Error }}{{ fail (printf "config is not YAML: %s" .) }}{{ end }}
{{- $gateway := $config.gateway | default dict }}
{{- $admin := dig "http" "admin" "" $config }}
{{- if or (not $admin) (hasPrefix "127." $admin) (hasPrefix "localhost" $admin) }}{{ fail "config: http.admin must be 0.0.0.0:PORT, or nobody reaches the probes and the API" }}{{ end }}
adminPort: {{ splitList ":" $admin | last }}
bootstrapPort: {{ $gateway.bootstrapPort | default 19092 }}
brokerPortBase: {{ $gateway.brokerPortBase | default 19100 }}
advertisedHost: {{ required "config: gateway.advertisedHost is missing" $gateway.advertisedHost }}
sniDomain: {{ dig "sni" "domain" "" $gateway | quote }}
dataDir: {{ $config.dataDir | default "/var/lib/partner-zones" }}
firstKey: {{ dig "http" "bootstrapKeyFile" (printf "%s/api-key" ($config.dataDir | default "/var/lib/partner-zones")) $config }}
clusters: {{ required "config: clusters is missing" $config.clusters | toJson }}
{{- end }}

{{/* The gateway's ports: name and number of each, as YAML. In SNI mode there is one. */}}
{{- define "partner-zones.partnerPorts" -}}
{{- $config := include "partner-zones.config" . | fromYaml }}
- {name: bootstrap, port: {{ $config.bootstrapPort }}}
{{- if not $config.sniDomain }}
{{- range .Values.gateway.service.brokers }}
{{- $cluster := .cluster }}
{{- if not (hasKey $config.clusters $cluster) }}{{ fail (printf "gateway.service.brokers: config has no cluster %q" $cluster) }}{{ end }}
{{- $base := (get $config.clusters $cluster).brokerPortBase | default $config.brokerPortBase }}
{{- range .ids }}
- {name: {{ printf "%s-%d" $cluster (int .) | lower }}, port: {{ add $base . }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The pod of one role. Takes root, role and values of the role. */}}
{{- define "partner-zones.pod" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $config := include "partner-zones.config" $root | fromYaml -}}
metadata:
  labels:
    {{- include "partner-zones.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
  annotations:
    checksum/config: {{ $root.Values.config | sha256sum }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "partner-zones.fullname" $root }}
  automountServiceAccountToken: false
  # A Service called `reconciler` would otherwise become variables that look like settings, and unknown ones are errors.
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    # Lets the process read its Secrets, which belong to root.
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  # 5 s of preStop, at most 20 s of draining, and a margin.
  terminationGracePeriodSeconds: 40
  topologySpreadConstraints:
    {{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "partner-zones.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $role }}
    {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ $role }}
      image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [run, --role, {{ $role }}]
      env:
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: RECONCILER_NODE__ID
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        # Other nodes pass writes on to the one that leads by this address.
        - name: RECONCILER_HTTP__ADVERTISED_URL
          value: http://$(POD_IP):{{ $config.adminPort }}
        {{- with $root.Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ $config.adminPort }}}
        {{- if eq $role "gateway" }}
        - {name: kafka, containerPort: {{ $config.bootstrapPort }}}
        {{- end }}
      # While Kafka cannot be reached nothing answers yet, and starting again would not help.
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      {{- if eq $role "gateway" }}
      # Partners are served. That stays so when Kafka's state topic or every controller is gone.
      readinessProbe:
        httpGet: {path: /readyz, port: http}
      {{- else }}
      # Not /readyz, which only the one that leads answers: a rollout would wait for the others for ever, and they pass on
      # what they are asked.
      readinessProbe:
        httpGet: {path: /healthz, port: http}
      {{- end }}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      lifecycle:
        # Until balancers have heard that no new connection is to come here.
        preStop: {sleep: {seconds: 5}}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: config, mountPath: /etc/partner-zones, readOnly: true}
        {{- if eq $role "controller" }}
        - {name: data, mountPath: {{ $config.dataDir }}}
        {{- end }}
        {{- range $root.Values.secrets }}
        {{- if has $role .roles }}
        - {name: {{ printf "secret-%s" .folder }}, mountPath: {{ printf "/run/secrets/%s" .folder }}, readOnly: true}
        {{- end }}
        {{- end }}
  volumes:
    - name: config
      configMap: {name: {{ include "partner-zones.fullname" $root }}}
    {{- if eq $role "controller" }}
    - name: data
      emptyDir: {sizeLimit: {{ $root.Values.controller.dataSize }}}
    {{- end }}
    {{- range $root.Values.secrets }}
    {{- if has $role .roles }}
    - name: {{ printf "secret-%s" .folder }}
      secret: {secretName: {{ .secret }}, defaultMode: 0440}
    {{- end }}
    {{- end }}
{{- end }}
