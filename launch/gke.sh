#!/usr/bin/env bash
# Trains on a TPU slice of a GKE cluster. It fills in launch/gke_jobset.yaml and calls kubectl.
#
#     export NAME=x2 TOPOLOGY=4x4 WORKDIR=gs://my-bucket/runs/x2 IMAGE=us-docker.pkg.dev/my-project/images/sr_jax:1
#     launch/gke.sh start -- --config configs/x2.py
#     launch/gke.sh logs; launch/gke.sh fetch; launch/gke.sh delete
#
# Usage: launch/gke.sh [--dry-run] start|logs|fetch|delete [-- ARGUMENTS OF sr_jax.train]
#
#   start     creates the JobSet, with its service account and permissions
#   logs      prints the state of the JobSet and the last lines of all pods
#   fetch     copies the work directory to runs/NAME
#   delete    deletes the JobSet: the run saves and stops. The work directory stays
#
# --dry-run prints the commands, with the manifest, and runs none of them.
#
# Settings are variables of the environment:
#   NAME, WORKDIR, IMAGE      name of the JobSet, work directory in a bucket, image built from launch/Dockerfile
#   TOPOLOGY                  chips of the node pool, as in 4x4
#   ACCELERATOR               tpu-v6e-slice (the default), tpu-v5-lite-podslice (v5e), tpu-v5p-slice or tpu7x
#   CHIPS                     of one host (default: 4)
#   NAMESPACE, RESTARTS       default: default, 10
#
# Last checked on 2026-11-26: flags against the help of kubectl 1.32 and gcloud 528.0.0; nothing was run on a cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

script=launch/gke.sh
flags=(--dry-run)
verbs=(start logs fetch delete)
source launch/common.sh

run() {
    if [ "$dry_run" = 1 ]; then echo "$*"; else "$@"; fi
}

json() { # prints words as a list of JSON strings, which is also YAML
    local word separator=
    for word in "$@"; do
        word=${word//\\/\\\\}
        printf '%s"%s"' "$separator" "${word//\"/\\\"}"
        separator=', '
    done
}

manifest() {
    local line value
    while IFS= read -r line; do
        case $line in
            *' # NAME') value=$NAME ;;
            *' # NAMESPACE') value=$NAMESPACE ;;
            *' # RESTARTS') value=$RESTARTS ;;
            *' # HOSTS') value=$host_count ;;
            *' # ACCELERATOR') value=$ACCELERATOR ;;
            *' # TOPOLOGY') value=$TOPOLOGY ;;
            *' # IMAGE') value=$(json "$IMAGE") ;;
            *' # CHIPS') value=$CHIPS ;;
            *' # ARGUMENTS') value="[$(json --workdir "$WORKDIR" "$@")]" ;;
            *)
                printf '%s\n' "$line"
                continue
                ;;
        esac
        printf '%s: %s\n' "${line%%: *}" "$value"
    done <launch/gke_jobset.yaml
}

start() {
    need IMAGE us-docker.pkg.dev/my-project/images/sr_jax:1
    need WORKDIR gs://my-bucket/runs/x2
    need TOPOLOGY 4x4
    [ $# -gt 0 ] || fail "start needs the arguments of sr_jax.train, as in: start -- --config configs/x2.py"
    check_bucket
    check_topology
    [[ $CHIPS =~ ^[1-9]$ ]] || fail "CHIPS=$CHIPS: it should be the number of chips of one host, 1 to 8"
    [[ $RESTARTS =~ ^[0-9]+$ ]] || fail "RESTARTS=$RESTARTS: it should be a number"
    host_count=$((${TOPOLOGY//x/*} / CHIPS))
    [ "$host_count" -ge 1 ] || fail "TOPOLOGY=$TOPOLOGY has fewer chips than one host, CHIPS=$CHIPS"
    if [ "$dry_run" = 1 ]; then
        echo "kubectl apply --filename=- <<'MANIFEST'"
        manifest "$@"
        echo MANIFEST
    else
        manifest "$@" | kubectl apply --filename=-
    fi
}

logs() {
    run kubectl get jobset "$NAME" "--namespace=$NAMESPACE"
    run kubectl logs "--selector=jobset.sigs.k8s.io/jobset-name=$NAME" "--namespace=$NAMESPACE" --prefix --tail=20 \
        --max-log-requests=256
}

fetch() {
    need WORKDIR gs://my-bucket/runs/x2
    run mkdir -p "runs/$NAME"
    run gcloud storage rsync --recursive "$WORKDIR" "runs/$NAME"
}

delete() {
    run kubectl delete jobset "$NAME" "--namespace=$NAMESPACE"
}

parse "$@"
need NAME x2
[[ $NAME =~ ^[a-z]([a-z0-9-]*[a-z0-9])?$ ]] || fail "NAME=$NAME: it should have small letters, digits and hyphens"
NAMESPACE=${NAMESPACE:-default}
RESTARTS=${RESTARTS:-10}
ACCELERATOR=${ACCELERATOR:-tpu-v6e-slice}
CHIPS=${CHIPS:-4}

"$verb" ${arguments[@]+"${arguments[@]}"}
