#!/bin/sh
# Installs aim-gpu-sharing by kubectl from install.yaml beside this file, where Helm is not at hand, and uninstalls it.
# Looks first whether the cluster can take it, and waits until the operator answers. Before an uninstall the Job of
# release.yaml gives back what only the operator could give back.
set -eu

NAMESPACE=aim-gpu-system
OLDEST_MINOR=34
TIMEOUT=300s
KINDS="inferenceservices.aim.amd.com gpusharingpolicies.aim.amd.com modelprofiles.aim.amd.com
    gpunodes.aim.amd.com gpupartitionclaims.aim.amd.com repartitionplans.aim.amd.com"
# All that a manifest has but its definitions and its namespaces, each of which is dealt with by itself.
OBJECTS='app.kubernetes.io/name,app.kubernetes.io/name notin (aim-gpu-definitions,aim-gpu-sharing)'
LOOK_SECONDS=2
CLASS=gpu.amd.com
# A Job's time has room for so many waits of `aim-gpu release`: three of one attempt or one of three, and their starts.
WAITS=5
# Names of those who wrote an object and none of it by our manifest, whose writers own the label; "somebody" without any.
# shellcheck disable=SC2016 # variables of the template's
STRANGERS='{{- range .metadata.managedFields -}}
    {{- $ours := false -}}
    {{- with .fieldsV1 }}{{ with index . "f:metadata" }}{{ with index . "f:labels" -}}
        {{- range $key, $_ := . }}{{ if eq $key "f:app.kubernetes.io/part-of" }}{{ $ours = true }}{{ end }}{{ end -}}
    {{- end }}{{ end }}{{ end -}}
    {{- if not $ours }}{{ .manager }} {{ end -}}
{{- else }}somebody {{ end -}}'

usage() {
    cat <<USAGE
usage: install.sh [--context NAME] [--manifest FILE-OR-URL] [--dry-run] [--timeout DURATION]
       install.sh --uninstall [--gated-pods WHAT] [--no-release] [--delete-crds] [the same options]

  --context NAME    the context of the kubeconfig; default: the present one
  --manifest WHAT   the manifest; default: install.yaml beside this script. Those that --uninstall needs are beside it
  --dry-run         ask the API server whether it would take everything, or list what an uninstall would delete; changes nothing
  --timeout TIME    how long each wait may take, and the Job, in seconds or minutes, such as 180s or 3m; default: $TIMEOUT

  --uninstall       run the Job of release.yaml, delete what install.yaml, gateway.yaml, exporter.yaml and ui.yaml have, say what stays
  --gated-pods WHAT pods that still wait for a partition: delete or ungate; default: delete
  --no-release      leave the Job out: \`aim-gpu release --all\` was run by somebody already
  --delete-crds     delete the definitions too, and with them every InferenceService, policy, claim and plan
USAGE
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

seconds() {
    case "$1" in
        *[!0-9]*[sm]) number="" ;;
        *[sm]) number="${1%[sm]}" ;;
        *) number="" ;;
    esac
    # a shell reads 08 as a wrong octal number
    while [ "${number#0}" != "$number" ]; do
        number="${number#0}"
    done
    [ -n "$number" ] || fail "--timeout $1: is no duration; write seconds or minutes, such as 180s or 3m"
    case "$1" in
        *m) number="$((number * 60))" ;;
    esac
    echo "$number"
}

context=""
manifest="$(dirname "$0")/install.yaml"
dry_run=""
uninstall=""
gated_pods=""
no_release=""
delete_crds=""
while [ $# -gt 0 ]; do
    case "$1" in
        --context | --manifest | --timeout | --gated-pods)
            [ $# -ge 2 ] || fail "$1: needs a value; see --help"
            case "$1" in
                --context) context="$2" ;;
                --manifest) manifest="$2" ;;
                --timeout) TIMEOUT="$2" ;;
                --gated-pods) gated_pods="$2" ;;
            esac
            shift 2
            ;;
        --dry-run)
            dry_run=yes
            shift
            ;;
        --uninstall)
            uninstall=yes
            shift
            ;;
        --no-release)
            no_release=yes
            shift
            ;;
        --delete-crds)
            delete_crds=yes
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "$1: is no option of this script; see --help" ;;
    esac
done

limit="$(seconds "$TIMEOUT")"
if [ -z "$uninstall" ]; then
    [ -z "$gated_pods" ] || fail "--gated-pods $gated_pods: is read with --uninstall alone; add that, or leave it out"
    [ -z "$no_release" ] || fail "--no-release: is read with --uninstall alone; add that, or leave it out"
    [ -z "$delete_crds" ] || fail "--delete-crds: is read with --uninstall alone; add that, or leave it out"
fi
case "$gated_pods" in
    "" | delete | ungate) ;;
    *) fail "--gated-pods $gated_pods: is neither delete nor ungate; write one of them" ;;
esac
command -v kubectl >/dev/null 2>&1 || fail "kubectl: not found on PATH; install it, in a version from 1.$OLDEST_MINOR on"
case "$manifest" in
    http://* | https://*) ;;
    *) [ -r "$manifest" ] || fail "--manifest $manifest: cannot be read; name a file or a URL" ;;
esac

ask() {
    if [ -n "$context" ]; then
        kubectl --context "$context" "$@"
    else
        kubectl "$@"
    fi
}

apply() {
    ask apply --server-side --force-conflicts --field-manager=aim-gpu-install "$@"
}

# Of the installation that is there, in whatever namespace: a role has none.
managed_by() {
    ask get clusterrole aim-gpu-operator --ignore-not-found -o jsonpath='{.metadata.labels.app\.kubernetes\.io/managed-by}'
}

# Whose DeviceClass is there, where it is not ours alone: AMD's DRA driver brings the same one.
others_class() {
    [ -n "$(ask get deviceclass "$CLASS" --ignore-not-found -o name)" ] || return 0
    ask get deviceclass "$CLASS" --show-managed-fields -o go-template="$STRANGERS"
}

# Runs kubectl's command on what a manifest has, without a DeviceClass that somebody else made.
on_objects() {
    file="$1"
    shift
    if [ -z "$others" ]; then
        "$@" -f "$file"
        return
    fi
    objects="$(ask create --dry-run=client -o yaml -f "$file")" || return 1
    printf '%s\n' "$objects" \
        | awk '
            /^---$/ { if (!left_out) printf "%s", text; text = ""; left_out = 0 }
            /^kind: DeviceClass$/ { left_out = 1 }
            { text = text $0 "\n" }
            END { if (!left_out) printf "%s", text }' \
        | "$@" -f -
}

version="$(ask get --raw /version --request-timeout 30s)" \
    || fail "the API server does not answer; look at: kubectl version"

# --- install -----------------------------------------------------------------

install() {
    minor="$(printf '%s' "$version" | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p')"
    [ -n "$minor" ] || fail "the API server does not tell its version; look at: kubectl version"
    [ "$minor" -ge "$OLDEST_MINOR" ] \
        || fail "Kubernetes 1.$minor: too old, dynamic resource allocation is stable from 1.$OLDEST_MINOR on; upgrade the cluster"
    ask get --raw /apis/resource.k8s.io/v1 --request-timeout 30s >/dev/null \
        || fail "resource.k8s.io/v1: not served; take it out of the API server's --runtime-config"
    manager="$(managed_by)"
    [ "$manager" != Helm ] \
        || fail "Helm installed what is there, and this script would take it away from Helm; use: helm upgrade, or helm uninstall first"
    others="$(others_class)"
    [ -z "$others" ] || echo "DeviceClass $CLASS is somebody else's and stays as it is (written by: ${others% })"
    if [ -n "$dry_run" ]; then
        ask get namespace "$NAMESPACE" >/dev/null 2>&1 \
            || fail "--dry-run: namespace $NAMESPACE is not there, so that nothing in it can be tried; make it first"
        on_objects "$manifest" apply --dry-run=server
        return
    fi
    on_objects "$manifest" apply
    # shellcheck disable=SC2086 # a word for each kind
    ask wait --for=condition=Established --timeout="$TIMEOUT" crd $KINDS
    ask rollout status --namespace "$NAMESPACE" --timeout="$TIMEOUT" deployment/aim-gpu-operator \
        || fail "the operator is not ready after $TIMEOUT; look at: kubectl -n $NAMESPACE describe pods"
    echo "aim-gpu-sharing is installed. Label GPU nodes next: kubectl label node NODE aim.amd.com/managed=true"
}

# --- uninstall ---------------------------------------------------------------

beside() {
    case "$manifest" in
        */*) echo "${manifest%/*}/$1" ;;
        *) echo "$1" ;;
    esac
}

# The manifests whose objects may be there, those that were applied last first.
manifests() {
    for one in ui.yaml exporter.yaml gateway.yaml; do
        one="$(beside "$one")"
        case "$one" in
            http://* | https://*) echo "$one" ;;
            *) [ ! -r "$one" ] || echo "$one" ;;
        esac
    done
    echo "$manifest"
}

# The names of their objects that are there.
present() {
    manifests | while IFS= read -r one; do
        on_objects "$one" ask get -l "$OBJECTS" --ignore-not-found -o name
    done
}

kinds_present() {
    # shellcheck disable=SC2086 # a word for each kind
    ask get crd $KINDS --ignore-not-found -o name
}

job_ended() {
    ask get job aim-gpu-release --namespace "$NAMESPACE" \
        -o jsonpath='{range .status.conditions[?(@.status=="True")]}{.type} {end}'
}

job_log() {
    # of every attempt: what one did the next does not tell again
    ask logs --selector batch.kubernetes.io/job-name=aim-gpu-release --namespace "$NAMESPACE" --tail=-1 || true
}

# What only the operator could give back, by our own image and with rights that are gone afterwards.
release() {
    job="$(beside release.yaml)"
    case "$job" in
        http://* | https://*) ;;
        *) [ -r "$job" ] || fail "$job: cannot be read; put release.yaml there, or run \`aim-gpu release --all\` and add --no-release" ;;
    esac
    ask get namespace "$NAMESPACE" >/dev/null 2>&1 || ask create namespace "$NAMESPACE"
    ask delete job aim-gpu-release --namespace "$NAMESPACE" --ignore-not-found --timeout="$TIMEOUT"
    objects="$(ask create --dry-run=client -o yaml -f "$job")"
    printf '%s\n' "$objects" \
        | sed -e "s/--gated-pods=[a-z]*/--gated-pods=${gated_pods:-delete}/" \
            -e "s/--limit=[0-9]*/--limit=$((limit < WAITS ? 1 : limit / WAITS))/" \
            -e "s/activeDeadlineSeconds: [0-9]*/activeDeadlineSeconds: $limit/" \
        | apply -f -
    waited=0
    while :; do
        case "$(job_ended)" in
            *Complete*) break ;;
            *Failed*)
                job_log
                fail "Job $NAMESPACE/aim-gpu-release failed, and nothing was deleted; mend what its log says and uninstall again"
                ;;
        esac
        [ "$waited" -lt "$((limit + 30))" ] \
            || fail "Job $NAMESPACE/aim-gpu-release has not ended after $waited s, and nothing was deleted; look at: kubectl -n $NAMESPACE describe pods"
        sleep "$LOOK_SECONDS"
        waited=$((waited + LOOK_SECONDS))
    done
    job_log
    ask delete -f "$job" --ignore-not-found --timeout="$TIMEOUT"
}

delete_all() {
    manifests | while IFS= read -r one; do
        on_objects "$one" ask delete -l "$OBJECTS" --ignore-not-found --timeout="$TIMEOUT" || exit 1
    done || fail "not all of it could be deleted; what kubectl said is above: uninstall again"
    ask delete namespace aim-gpu-exporter "$NAMESPACE" --ignore-not-found --timeout="$TIMEOUT" \
        || fail "a namespace is still there after $TIMEOUT; look at: kubectl get namespace $NAMESPACE -o yaml"
    if [ -n "$delete_crds" ]; then
        # shellcheck disable=SC2086 # a word for each kind
        ask delete crd $KINDS --ignore-not-found --timeout="$TIMEOUT" \
            || fail "a definition is still there after $TIMEOUT; look at its objects' finalizers: kubectl get crd -o name"
    fi
}

say_what_stays() {
    for kind in $(kinds_present); do
        kind="${kind#*/}"
        count="$(ask get "$kind" --all-namespaces --ignore-not-found -o name | wc -l)"
        echo "kept: $kind with $((count)) objects; --uninstall --delete-crds deletes both"
    done
    if [ -n "$(ask get namespace aim-gpu-gateway --ignore-not-found -o name)" ]; then
        echo "kept: namespace aim-gpu-gateway, whose certificates and API keys are somebody's; kubectl delete namespace aim-gpu-gateway"
    fi
    [ -z "$others" ] || echo "kept: DeviceClass $CLASS, which is not ours alone (written by: ${others% }); kubectl delete deviceclass $CLASS"
    [ -z "$there" ] || echo "kept: models that run, and their ResourceClaims"
}

uninstall() {
    manager="$(managed_by)"
    [ "$manager" != Helm ] \
        || fail "Helm installed what is there, and this script does not know its values; use: helm uninstall"
    others="$(others_class)"
    there="$(present)"
    if [ -n "$dry_run" ]; then
        printf '%s\n' "$there" | sed -n 's/^./would be deleted: &/p'
        [ -z "$delete_crds" ] || kinds_present | sed 's/^/would be deleted: /'
        return
    fi
    if [ -z "$there" ]; then
        echo "nothing of aim-gpu-sharing runs here. If pods wait behind its gate all the same: aim-gpu release --all"
    elif [ -z "$no_release" ]; then
        release
    fi
    delete_all
    say_what_stays
    echo "aim-gpu-sharing is uninstalled."
}

if [ -n "$uninstall" ]; then
    uninstall
else
    install
fi
