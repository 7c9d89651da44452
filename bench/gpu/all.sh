#!/usr/bin/env bash
# Everything that only a GPU can show, on a bare CUDA machine without network: builds from carried sources
# (bench/gpu/carry.sh collects them), then in three parts of at most ten minutes each, what is worth most first:
#   bench/gpu/all.sh 1      the bits (every gpu test), and Figure 4
#   bench/gpu/all.sh 2      the whole paper, the peers, every shape's share of its floor, the fused mixture
#   bench/gpu/all.sh 3      compute-sanitizer on small grids, its tools first on planted bugs; growth; the fused mixture along
#                           its axes
# Start a part in the minute that the one before it ends: a machine that is given back forgets the build. A part that finds
# no build makes one first. Results go to $OUT (results_1.json, logs_1.tar.gz, ...) or, where that is not set, to
# build-gpu/results, and are written again after every step, so that they hold what was reached whenever a part is ended.
# The last lines of the output are a table of all steps and the goals. COMMIT names the commit in the results where the working tree has no .git. Exit status: 0 where every step of the part
# passed, 1 where one failed or was left out.
#
#   bench/gpu/all.sh --rehearse [1|2|3]  where there is no GPU: the same, as far as it goes (bench/gpu/rehearse.sh)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
readonly USAGE="usage: bench/gpu/all.sh [--rehearse] 1|2|3"

REHEARSE=0
if [ "${1:-}" = --rehearse ]; then
  REHEARSE=1
  shift
fi
PART="${1:-}"
if ((REHEARSE)) && [ -z "${GPU_ALL_REHEARSING:-}" ]; then
  exec bash bench/gpu/rehearse.sh "$@"
fi
if [ "$#" != 1 ] || [[ "$PART" != [123] ]]; then
  echo "$USAGE" >&2
  exit 2
fi

BUILD="${GPU_ALL_BUILD:-$PWD/build-gpu}"
PREFIX="$BUILD/prefix"
RESULTS="$BUILD/results"
LOGS="$RESULTS/logs_$PART"
PART_LIMIT="${GPU_ALL_SECONDS:-570}"  # of the ten minutes that a command may take; the rest is for the summary
rm -rf "$LOGS"
mkdir -p "$LOGS"
touch "$RESULTS/steps.tsv"
grep -v "^$PART	" "$RESULTS/steps.tsv" >"$RESULTS/steps.others" || true  # what the other part did stays
mv "$RESULTS/steps.others" "$RESULTS/steps.tsv"
PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin"

# shellcheck source=bench/gpu/steps.sh
. bench/gpu/steps.sh
# shellcheck source=bench/gpu/build.sh
. bench/gpu/build.sh
# shellcheck source=bench/gpu/sanitize.sh
. bench/gpu/sanitize.sh
# shellcheck source=bench/gpu/benchmarks.sh
. bench/gpu/benchmarks.sh

summarise() {
  python3 bench/gpu/summary.py --part "$PART" --results "$RESULTS" --out "${OUT:-$RESULTS}" --commit "${COMMIT:-}"
}
finish() {
  summarise
  exit
}

{
  nvidia-smi --query-gpu=name,compute_cap,driver_version,memory.total,clocks.max.sm --format=csv,noheader
  nvcc --version | tail -n 2
  cmake --version | head -n 1
  "${CXX:-c++}" --version | head -n 1
  python3 --version
  nproc
} >"$RESULTS/machine.txt" 2>&1

if [ "$PART" = 1 ]; then
  BUILD_LIMIT="${GPU_ALL_BUILD_SECONDS:-330}"
  build_all || finish
  run_bits
elif [ "$PART" = 2 ]; then
  BUILD_LIMIT="${GPU_ALL_BUILD_SECONDS:-330}"
  build_all || finish
  run_benchmarks
else
  BUILD_LIMIT="${GPU_ALL_BUILD_SECONDS:-330}"
  build_all || finish
  sanitize_everything
  run_growth
fi
finish
