#!/usr/bin/env bash
# Trains on a Cloud TPU slice, which may span several hosts. Each host runs the same command, and JAX finds the others.
#
#     export NAME=x2 PROJECT=my-project ZONE=us-east5-a TOPOLOGY=4x4 WORKDIR=gs://my-bucket/runs/x2
#     launch/tpu.sh create
#     launch/tpu.sh install
#     launch/tpu.sh start -- --config configs/x2.py
#     launch/tpu.sh logs; launch/tpu.sh fetch; launch/tpu.sh delete
#
# Usage: launch/tpu.sh [--dry-run] [--legacy] create|install|start|logs|stop|fetch|delete [-- ARGUMENTS OF sr_jax.train]
#
#   create    creates the slice and waits for its hosts
#   install   copies the last commit to all hosts and installs it
#   start     starts training on all hosts. It restarts after status 75 or 1, at most RESTARTS times an hour, and never after 2
#   logs      prints the state and the last lines of all hosts
#   stop      sends SIGTERM to all hosts: the run saves and stops
#   fetch     copies the work directory to runs/NAME
#   delete    deletes the slice. The work directory stays
#
# --dry-run prints the commands and runs none of them.
# --legacy uses `gcloud compute tpus tpu-vm`, which gets fixes only and does not know TPU7x. It is the only way to a v5e slice.
#
# Settings are variables of the environment:
#   NAME, PROJECT, ZONE       of the slice
#   WORKDIR                   work directory in a bucket, gs://...: all hosts write to it, and it outlives the slice
#   TOPOLOGY                  chips, as in 4x4 (v6e) or 2x2x4 (v5p, TPU7x)
#   MACHINE_TYPE              ct6e-standard-4t (v6e, the default), ct5p-hightpu-4t (v5p) or tpu7x-standard-4t (TPU7x)
#   SPOT=1                    takes spot capacity. After a preemption: delete, create, install, start
#   TEMPLATE_FLAGS            more flags of `gcloud compute instance-templates create`: a reservation, a network
#   RESTARTS                  default: 10
#   ACCELERATOR_TYPE, RUNTIME_VERSION   with --legacy, as in v5litepod-16 and v2-alpha-tpuv5-lite
#
# Last checked on 2026-11-26: every command and flag against the help of gcloud 528.0.0 and Google's pages of 2026. Nothing was
# run on a TPU. JAX finds the hosts of a managed instance group by itself in versions after 0.9.2.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

script=launch/tpu.sh
flags=(--dry-run --legacy)
verbs=(create install start logs stop fetch delete)
source launch/common.sh
hosts=()

quote() { # prints words as a shell needs them
    local word separator='' escaped="'\\''"
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_./:=,@%+-]*) word="'${word//\'/$escaped}'" ;;
        esac
        printf '%s%s' "$separator" "$word"
        separator=' '
    done
    printf '\n'
}

run() {
    if [ "$dry_run" = 1 ]; then quote "$@"; else "$@"; fi
}

list_hosts() { # sets hosts
    [ "${#hosts[@]}" = 0 ] || return 0
    local names command=(gcloud compute instance-groups managed list-instances "$NAME" "${place[@]}" "--format=value(name)")
    if [ "$dry_run" = 1 ]; then
        quote "${command[@]}"
        for ((i = 0; i < host_count; i++)); do hosts+=("HOST_$i"); done
    else
        names=$("${command[@]}")
        read -r -d '' -a hosts <<<"$names" || true
        [ "${#hosts[@]}" -gt 0 ] || fail "$NAME has no hosts. Has it been created?"
    fi
}

on_each_host() { # runs a command for all hosts at once, with @HOST@ replaced by each name, and fails if one fails
    local host pids=() status=0
    for host in "${hosts[@]}"; do
        if [ "$dry_run" = 1 ]; then
            quote "${@//@HOST@/$host}"
        else
            "${@//@HOST@/$host}" 2>&1 </dev/null | sed "s/^/[$host] /" &
            pids+=("$!")
        fi
    done
    for pid in ${pids[@]+"${pids[@]}"}; do wait "$pid" || status=1; done
    return "$status"
}

ssh_all() {
    if [ "$legacy" = 1 ]; then
        run gcloud compute tpus tpu-vm ssh "$NAME" "${place[@]}" --worker=all "--command=$1"
    else
        list_hosts
        on_each_host gcloud compute ssh @HOST@ "${place[@]}" "--command=$1"
    fi
}

create() {
    if [ "$legacy" = 1 ]; then
        need ACCELERATOR_TYPE v5litepod-16
        need RUNTIME_VERSION v2-alpha-tpuv5-lite
        run gcloud compute tpus tpu-vm create "$NAME" "${place[@]}" "--accelerator-type=$ACCELERATOR_TYPE" \
            "--version=$RUNTIME_VERSION" ${SPOT:+--spot}
        return
    fi
    local image policy=() flags=()
    case $MACHINE_TYPE in
        tpu7x-*) image=ubuntu-accel-2404-amd64-tpu-tpu7x ;;
        ct6e-* | ct5p-*) image=ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e ;;
        *) fail "MACHINE_TYPE=$MACHINE_TYPE: it should be ct6e-*, ct5p-* or tpu7x-*. For a v5e slice there is --legacy" ;;
    esac
    read -r -a flags <<<"${TEMPLATE_FLAGS:-}"
    if [ -n "${SPOT:-}" ]; then flags+=(--provisioning-model=SPOT --instance-termination-action=STOP); fi
    if [ "$host_count" -gt 1 ]; then # only hosts of one policy are connected by the fast links between chips
        run gcloud compute resource-policies create workload-policy "$NAME" "--project=$PROJECT" "--region=$region" \
            --type=HIGH_THROUGHPUT "--accelerator-topology=$TOPOLOGY"
        policy=("--workload-policy=projects/$PROJECT/regions/$region/resourcePolicies/$NAME")
    fi
    run gcloud compute instance-templates create "$NAME" "--project=$PROJECT" "--machine-type=$MACHINE_TYPE" \
        "--image-family=$image" --image-project=ubuntu-os-accelerator-images \
        --boot-disk-size=200GB --boot-disk-type=hyperdisk-balanced \
        --maintenance-policy=TERMINATE --scopes=cloud-platform ${flags[@]+"${flags[@]}"}
    # A host that is repaired by itself would not be part of the slice again.
    run gcloud compute instance-groups managed create "$NAME" "${place[@]}" "--template=$NAME" "--size=$host_count" \
        --default-action-on-vm-failure=do-nothing ${policy[@]+"${policy[@]}"}
    run gcloud compute instance-groups managed wait-until "$NAME" "${place[@]}" --stable --timeout=1800
}

# The image of v6e has Python 3.10, which is too old for sr_jax, so uv brings 3.12.
# shellcheck disable=SC2016 # the host expands this
INSTALL='set -eu
sudo apt-get -q update
sudo apt-get -q -y -o DPkg::Lock::Timeout=300 install git python3-venv
rm -rf ~/sr_jax
git -c advice.detachedHead=false clone -q ~/sr_jax.bundle ~/sr_jax
python3 -m venv ~/uv
~/uv/bin/pip install -q uv
~/uv/bin/uv venv -q --python 3.12 ~/sr_jax/.venv
~/uv/bin/uv pip install -q --python ~/sr_jax/.venv/bin/python -e "$HOME/sr_jax[tpu]"'

install() {
    local bundle=/tmp/sr_jax.bundle
    git diff --quiet HEAD || echo "launch/tpu.sh: changes that are not committed stay here" >&2
    run git bundle create -q "$bundle" HEAD # unlike an archive, it tells the hosts which commit they run
    if [ "$legacy" = 1 ]; then
        run gcloud compute tpus tpu-vm scp "$bundle" "$NAME:sr_jax.bundle" "${place[@]}" --worker=all
    else
        list_hosts
        run gcloud compute ssh "${hosts[0]}" "${place[@]}" --command=true # makes a key once, before all hosts need it
        on_each_host gcloud compute scp "$bundle" @HOST@:sr_jax.bundle "${place[@]}"
    fi
    ssh_all "$INSTALL"
}

start() {
    need WORKDIR gs://my-bucket/runs/x2
    [ $# -gt 0 ] || fail "start needs the arguments of sr_jax.train, as in: start -- --config configs/x2.py"
    # systemd keeps the run alive when the connection ends, restarts it by its exit status, and passes on the SIGTERM of a host
    # that is preempted. Only libtpu needs LimitMEMLOCK: a service does not have the limits of a login.
    ssh_all "sudo systemctl reset-failed sr_jax 2>/dev/null
sudo systemd-run --unit=sr_jax --uid=\"\$(id -u)\" --gid=\"\$(id -g)\" --working-directory=\"\$HOME/sr_jax\" \
--property=Restart=on-failure --property=RestartPreventExitStatus=2 --property=RestartSec=10 \
--property=StartLimitIntervalSec=1h --property=StartLimitBurst=$RESTARTS --property=KillMode=mixed \
--property=TimeoutStopSec=300 --property=LimitMEMLOCK=infinity \
\"\$HOME/sr_jax/.venv/bin/python\" -m sr_jax.train --distributed $(quote --workdir "$WORKDIR" "$@")"
}

logs() {
    ssh_all "systemctl show sr_jax --property=ActiveState --property=ExecMainStatus
sudo journalctl --unit=sr_jax --no-pager --output=cat --lines=${LINES_OF_LOG:-20}"
}

stop() {
    ssh_all "sudo systemctl stop sr_jax"
}

fetch() {
    need WORKDIR gs://my-bucket/runs/x2
    run mkdir -p "runs/$NAME"
    run gcloud storage rsync --recursive "$WORKDIR" "runs/$NAME"
}

delete() {
    if [ "$legacy" = 1 ]; then
        run gcloud compute tpus tpu-vm delete "$NAME" "${place[@]}" --quiet
        return
    fi
    local status=0 # a part that was never created must not keep the others
    run gcloud compute instance-groups managed delete "$NAME" "${place[@]}" --quiet || status=1
    run gcloud compute instance-templates delete "$NAME" "--project=$PROJECT" --quiet || status=1
    if [ "$host_count" -gt 1 ]; then
        run gcloud compute resource-policies delete "$NAME" "--project=$PROJECT" "--region=$region" --quiet || status=1
    fi
    return "$status"
}

parse "$@"
need NAME x2
need PROJECT my-project
need ZONE us-east5-a
check_bucket
RESTARTS=${RESTARTS:-10}
MACHINE_TYPE=${MACHINE_TYPE:-ct6e-standard-4t}
region=${ZONE%-*}
place=("--project=$PROJECT" "--zone=$ZONE")
if [ "$legacy" = 0 ]; then
    need TOPOLOGY 4x4
    chips=${MACHINE_TYPE##*-} # of one host: 4 of ct6e-standard-4t
    check_topology
    [[ $chips =~ ^[1-9]t$ ]] || fail "MACHINE_TYPE=$MACHINE_TYPE: its end should be the number of chips, as in ct6e-standard-4t"
    host_count=$((${TOPOLOGY//x/*} / ${chips%t}))
    [ "$host_count" -ge 1 ] || fail "TOPOLOGY=$TOPOLOGY has fewer chips than one host of MACHINE_TYPE=$MACHINE_TYPE"
fi

"$verb" ${arguments[@]+"${arguments[@]}"}
