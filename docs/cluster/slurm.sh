#!/bin/bash
# A search on the nodes of a SLURM job: sbatch docs/cluster/slurm.sh adding -o length=100 --name add100
# It needs a --name, and is submitted from the folder of the project, which every node sees. SLURM runs it on the first node.
#SBATCH --job-name=recurrent-search
#SBATCH --nodes=3
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
set -euo pipefail

# `hostname --ip-address` may print several addresses; the first one is taken.
head=$(srun --nodes=1 --ntasks=1 --nodelist="${SLURMD_NODENAME:-$(hostname)}" hostname --ip-address | awk '{ print $1; exit }')
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs may share a node
RAY_AUTH_TOKEN=$(.venv/bin/python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN RAY_USAGE_STATS_ENABLED=0

# One process per node, until the job ends: the cluster's head on this node, and a member on every other one.
srun --ntasks-per-node=1 docs/cluster/node.sh "$head" "$port" &
trap 'kill %1 2>/dev/null || true' EXIT
until (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; do sleep 1; done

# Workers begin on the nodes that are there, and on the others when they come. --resume goes on if the job ran out of time.
.venv/bin/recurrent search "$@" --engine ray --address "$head:$port" --workers auto --resume
