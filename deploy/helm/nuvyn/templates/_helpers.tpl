{{- define "nuvyn.name" -}}
{{- $name := printf "%s-%s" .Release.Name .Chart.Name -}}
{{- if contains .Chart.Name .Release.Name }}{{ $name = .Release.Name }}{{ end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "nuvyn.image" -}}
{{- $prefix := "" -}}
{{- with .root.Values.image.registry }}{{ $prefix = printf "%s/" . }}{{ end -}}
{{- printf "%snuvyn-%s:%s" $prefix .component (default .root.Chart.AppVersion .root.Values.image.tag) -}}
{{- end -}}

{{- define "nuvyn.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
nuvyn.dev/pool: {{ . }}
{{- end }}
{{- end -}}

{{- define "nuvyn.labels" -}}
{{ include "nuvyn.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- /* The user of the images; nothing in them needs a privilege, a writable root or the cluster's API. */ -}}
{{- define "nuvyn.podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "nuvyn.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* SQLite has one owner; on PostgreSQL the others stand by. */ -}}
{{- define "nuvyn.replicas" -}}
{{- ternary .Values.controlplane.replicas 1 (ne .Values.controlplane.storeSecret "") -}}
{{- end -}}

{{- define "nuvyn.service" -}}
{{ include "nuvyn.name" . }}-controlplane.{{ .Release.Namespace }}.svc
{{- end -}}

{{- /* Every pod of the control plane: host:port,host:port */ -}}
{{- define "nuvyn.addresses" -}}
{{- $root := . -}}
{{- $all := list -}}
{{- range $i := until (include "nuvyn.replicas" . | int) -}}
{{- $all = append $all (printf "%s-controlplane-%d.%s:7443" (include "nuvyn.name" $root) $i (include "nuvyn.service" $root)) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}
