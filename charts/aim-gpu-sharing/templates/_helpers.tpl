{{/* The image of all processes: by digest where there is one. */}}
{{- define "aim.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}
{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels of an object. Takes [root context, name of what it belongs to]. */}}
{{- define "aim.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict "app.kubernetes.io/name" (index . 1) "app.kubernetes.io/part-of" "aim-gpu-sharing"
    "app.kubernetes.io/instance" $root.Release.Name "app.kubernetes.io/version" $root.Chart.AppVersion
    "app.kubernetes.io/managed-by" $root.Release.Service
    "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy $root.Values.commonLabels) $own) -}}
{{- end -}}

{{/* Labels by which pods are selected. They never change: a Deployment's selector cannot. Takes a name. */}}
{{- define "aim.selectorLabels" -}}
app.kubernetes.io/name: {{ . }}
{{- end -}}

{{/* Labels of pods. Takes [root context, name, podLabels]. Those of the chart's version are left out: its change alone
     restarts nothing. */}}
{{- define "aim.podLabels" -}}
{{- $own := dict "app.kubernetes.io/name" (index . 1) "app.kubernetes.io/part-of" "aim-gpu-sharing" -}}
{{- toYaml (mergeOverwrite (deepCopy (index . 0).Values.commonLabels) (deepCopy (index . 2)) $own) -}}
{{- end -}}

{{/* What every pod has: pull secrets, and no variables of Services. Takes the root context. */}}
{{- define "aim.podDefaults" -}}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where a pod goes. Takes the section of values of a process. */}}
{{- define "aim.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Over hosts, where it can be, unless values say otherwise. Takes [section, name]. */}}
{{- define "aim.spread" -}}
{{- $section := index . 0 -}}
{{- $default := list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway"
    "labelSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" (index . 1)))) -}}
{{- $constraints := list -}}
{{- range $section.topologySpreadConstraints | default $default -}}
{{- /* without a selector Kubernetes counts no pod, and the constraint holds for nothing */ -}}
{{- $constraints = append $constraints (ternary . (set (deepCopy .) "labelSelector" (index $default 0).labelSelector) (hasKey . "labelSelector")) -}}
{{- end -}}
topologySpreadConstraints: {{- toYaml $constraints | nindent 2 }}
{{- end -}}

{{/* Security of a pod that needs nothing, of level restricted. */}}
{{- define "aim.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Security of a container that needs nothing. */}}
{{- define "aim.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Probes. Takes the seconds between two questions of whether it is ready. */}}
{{- define "aim.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  failureThreshold: 60
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  failureThreshold: 3
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: {{ . }}
  timeoutSeconds: 5
{{- end -}}

{{/* The user name of one of our ServiceAccounts, as CEL and RBAC see it. Takes [namespace, name]. */}}
{{- define "aim.user" -}}
system:serviceaccount:{{ index . 0 }}:{{ index . 1 }}
{{- end -}}

{{/* The Secret that the operator has mounted for its webhooks; empty where it makes its own. */}}
{{- define "aim.webhookSecret" -}}
{{- with .Values.webhook.certs -}}
{{- if eq .mode "certManager" -}}aim-gpu-webhook-tls
{{- else if eq .mode "existingSecret" -}}{{ .existingSecret }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Arguments of the agent in its mode. */}}
{{- define "aim.agentArgs" -}}
- agent
- --system-namespace={{ .Release.Namespace }}
{{- with .Values.agent }}
{{- if eq .mode "simulate" }}
- --node=$(NODE_NAME)=SPX/NPS1
- --gpus={{ .simulated.gpus }}
- --kubelet-plugin=dra
- --state-dir=/var/lib/aim-gpu-agent
{{- with .simulated.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- else if eq .mode "repartition" }}
- --node-name=$(NODE_NAME)
- --backend=amdsmi
{{- else }}
- --node-name=$(NODE_NAME)
- --backend=sysfs
- --sysfs-root=/host/sys
{{- end }}
{{- with .extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Refuses a disruption budget that lets no node be drained. Shares are rounded up, as Kubernetes rounds them. Takes [field, minAvailable,
     field of the replicas, replicas]. */}}
{{- define "aim.refuseNoDrain" -}}
{{- $field := index . 0 -}}
{{- $given := index . 1 -}}
{{- $replicas := int (index . 3) -}}
{{- $kept := int $given -}}
{{- if kindIs "string" $given -}}
{{- $kept = div (add (mul (int (trimSuffix "%" $given)) $replicas) 99) 100 | int -}}
{{- end -}}
{{- if and (gt $kept 0) (ge $kept $replicas) -}}
{{- fail (printf "%s: %v of %s: %d keeps %d, which lets no node be drained: set it so that at most %d stay, 0 for none, or have more replicas" $field $given (index . 2) $replicas $kept (sub $replicas 1)) -}}
{{- end -}}
{{- end -}}

{{/* Arguments that rights, ports, mounts or network policies of the chart rely on. Takes [field, arguments, names]; ports always are. */}}
{{- define "aim.refuseTakenArgs" -}}
{{- $field := index . 0 -}}
{{- $own := index . 2 -}}
{{- range $place, $argument := index . 1 -}}
{{- $name := $argument | trimPrefix "--" | splitList "=" | first -}}
{{- if or (has $name $own) (hasSuffix "-port" $name) -}}
{{- fail (printf "%s[%d]: %q is set by the chart itself, whose other objects rely on it: set the value for it if there is one, and leave the argument out" $field $place $argument) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses variables that the chart sets itself, and those that are given twice: a container would have the last of them. Takes [field,
     variables, names that the chart sets]. */}}
{{- define "aim.refuseTakenEnv" -}}
{{- $field := index . 0 -}}
{{- $seen := list -}}
{{- $own := index . 2 -}}
{{- range $place, $variable := index . 1 -}}
{{- if has $variable.name $own -}}
{{- fail (printf "%s[%d].name: %q is set by the chart itself: leave it out, or name another variable" $field $place $variable.name) -}}
{{- end -}}
{{- if has $variable.name $seen -}}
{{- fail (printf "%s[%d].name: %q is given twice: leave one of them out" $field $place $variable.name) -}}
{{- end -}}
{{- $seen = append $seen $variable.name -}}
{{- end -}}
{{- end -}}
