#!/bin/bash
#SBATCH --job-name=phasegrid
#SBATCH --array=1-8
#SBATCH --cpus-per-task=16
#SBATCH --time=01:00:00
#SBATCH --requeue
# One sweep over the tasks of a Slurm job array; each trains its share of the cells into a file of its own.
#
#   job=$(sbatch --parsable job_array.sh sweep.toml results)
#   sbatch --dependency=afterok:$job --wrap 'phasegrid merge results/*.shard-*.npz --out results'
#
# The merged file has the bytes of the unsharded run. A task that is killed or preempted goes on from its last checkpoint
# (every 30 s) when it is queued again. Other schedulers: anything that gives each task its number and how many there are.
set -euo pipefail
sweep=$1 out=$2
mkdir -p "$out"
exec phasegrid run "$sweep" --out "$out" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --threads "${SLURM_CPUS_PER_TASK:-0}"
