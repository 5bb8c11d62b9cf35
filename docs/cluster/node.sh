#!/bin/bash
# A node of the cluster that slurm.sh starts: node.sh HEAD PORT. It runs until it is stopped.
set -euo pipefail
own=$(hostname --ip-address | awk '{ print $1; exit }')
more=(--node-ip-address="$own" --num-cpus="${SLURM_CPUS_PER_TASK:-1}" --block)
if [ "$own" = "$1" ]; then
    exec .venv/bin/ray start --head --port="$2" --include-dashboard=false "${more[@]}"
fi
until (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; do sleep 1; done
exec .venv/bin/ray start --address="$1:$2" "${more[@]}"
