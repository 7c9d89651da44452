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
# The merged file has the bytes of the unsharded run. Words behind the folder go to `phasegrid run`. A task that is
# preempted gets SIGTERM and saves what is finished; one that is killed, or whose node dies, has what it saved last (every
# 30 s, or --checkpoint-seconds 5). When Slurm queues it again it goes on from there. A task that failed is queued again by
# hand, `scontrol requeue JOB_3`: in a new array it would be another share. Other schedulers: anything that gives each task
# its number and how many there are.
set -euo pipefail
sweep=$1 out=$2
mkdir -p "$out"
exec phasegrid run "$sweep" --out "$out" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  --threads "${SLURM_CPUS_PER_TASK:-0}" "${@:3}"
