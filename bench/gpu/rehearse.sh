#!/usr/bin/env bash
# bench/gpu/all.sh without a GPU, as far as it goes: in a clean copy of the committed tree plus .carry/, without network,
# and with the machine's own packages of the carried libraries hidden, so that a build that leans on them fails here and
# not on the lent machine. Programs skip their gpu tests or give their sentence about the missing GPU; compute-sanitizer
# is a fake that reports nothing, which part 3 must call deaf, and show as failed in its table.
#
#   bench/gpu/all.sh --rehearse [1|2|3]     all parts where none is named; hiding needs root
#
# GPU_ALL_COPY names the folder of the copy; what it holds of an earlier build is then used.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$#" -gt 1 ] || [[ "${1:-1}" != [123] ]]; then
  echo "usage: bench/gpu/all.sh --rehearse [1|2|3]" >&2
  exit 2
fi
[ -z "$(git status --porcelain)" ] || echo "rehearsal: uncommitted changes are no part of it" >&2

copy="${GPU_ALL_COPY:-$(mktemp -d)/phasegrid}"
mkdir -p "$copy"
git archive HEAD | tar -x -C "$copy"
rm -rf "$copy/.carry"
cp -r .carry "$copy/.carry"
COMMIT="$(git rev-parse HEAD)"
export COMMIT

isolate=(unshare --net --mount bash)
if ! unshare --net --mount true 2>/dev/null; then
  echo "rehearsal: this user may not unshare network and mounts: the machine's own packages stay in sight" >&2
  isolate=(env GPU_ALL_HIDE=0 bash)
fi

failures=0
expect() {  # expect WHAT PATTERN LOG
  if grep -qE "$2" "$3"; then
    echo "rehearsal: seen: $1"
  else
    echo "rehearsal: NOT SEEN: $1" >&2
    failures=$((failures + 1))
  fi
}

for part in ${1:-1 2 3}; do
  log="$copy/rehearsal_$part.log"
  (cd "$copy" && "${isolate[@]}" bench/gpu/isolated.sh "$part") 2>&1 | tee "$log" || true
  expect "everything was built" "^build +ok" "$log"
  if [ "$part" = 1 ]; then
    expect "the carried libraries were built" "/done$" <(find "$copy/build-gpu/prefix" -name "done")
    expect "phasegrid was configured with them alone" " 1 configure +ok" "$log"
    for test in gpu_test unfused_peer_test fused_moe_test; do expect "$test skips" "$test +no-gpu" "$log"; done
    expect "figure4 gives its sentence" "figure4 +no-gpu .*GPU" "$log"
    expect "what was not measured is called so" "Figure 4, paper settings .*not measured" "$log"
  elif [ "$part" = 2 ]; then
    for step in whole_paper gpu_train rates_cuda fused_moe_paper; do
      expect "$step gives its sentence" "$step +no-gpu .*GPU" "$log"
    done
  else
    for tool in memcheck racecheck synccheck initcheck; do
      expect "a deaf $tool is found out" "planted-$tool +failed .*is deaf" "$log"
      expect "and nothing is believed of it" "$tool-tiny +skipped .*deaf" "$log"
    done
    expect "the table says so" "sanitizers clean, none deaf .*NOT MET" "$log"
    for step in growth fused_moe; do expect "$step gives its sentence" "$step +no-gpu .*GPU" "$log"; done
  fi
  expect "results come back" "\"part\": $part" "$copy/out/results_$part.json"
done
echo "rehearsal: $failures of the things it must show were not seen (in $copy)"
[ "$failures" = 0 ]
