# shellcheck shell=bash
# Sourced by bench/gpu/all.sh: compute-sanitizer's four tools on small grids, each first on a planted bug of its kind
# (tests/planted/), so that a tool that is missing or deaf cannot pass.

FOUND=99  # exit status of compute-sanitizer for a bug found

# hears TOOL PLANTED PATTERN: the tool reports the planted bug, and in its own words.
hears() {
  local tool=$1 planted=$2 pattern=$3 name="planted-$1" path start=$EPOCHREALTIME rc=0
  path=$(program "$planted")
  if [ -z "$path" ]; then
    record "$name" missing - 0 20 "the build has no $planted"
    return 1
  fi
  timeout -k 5 20 "$SANITIZER" --tool "$tool" --error-exitcode "$FOUND" "$path" >"$LOGS/$name.log" 2>&1 || rc=$?
  if ((rc == FOUND)) && grep -qE "$pattern" "$LOGS/$name.log"; then
    record "$name" ok "$rc" "$(seconds_since "$start")" 20 "found: $(grep -m 1 -oE "$pattern" "$LOGS/$name.log")"
    return 0
  fi
  record "$name" failed "$rc" "$(seconds_since "$start")" 20 "$tool is deaf: it did not report the bug planted in $planted"
  return 1
}

# sanitize TOOL SECONDS NAME COMMAND...
sanitize() {
  local tool=$1 limit=$2 name=$3
  shift 3
  run_step "$tool-$name" "$limit" "$SANITIZER" --tool "$tool" --error-exitcode "$FOUND" --print-limit 20 "$@"
}

sanitize_everything() {
  local phasegrid peer fused out="$RESULTS/sanitized" tool
  SANITIZER=$(command -v compute-sanitizer || true)
  phasegrid=$(program phasegrid)
  peer=$(program unfused_peer_test)
  fused=$(program fused_moe_test)
  mkdir -p "$out"
  local tools=("memcheck planted_out_of_bounds Invalid.__global__.write"
    "racecheck planted_race [Rr]ace.reported"
    "synccheck planted_barrier Barrier.error"
    "initcheck planted_uninitialised Uninitialized.__global__.memory.read")
  for line in "${tools[@]}"; do
    read -r tool planted pattern <<<"$line"
    if [ -z "$SANITIZER" ]; then
      record "planted-$tool" missing - 0 20 "this machine has no compute-sanitizer"
      continue
    fi
    if ! hears "$tool" "$planted" "$pattern"; then
      record "$tool-tiny" skipped - 0 35 "its tool is deaf"
      record "$tool-block" skipped - 0 35 "its tool is deaf"
      continue
    fi
    for grid in tiny block; do
      sanitize "$tool" 35 "$grid" "$phasegrid" run "bench/gpu/sanitize_$grid.toml" --device cuda --fresh --out "$out" ||
        true
    done
    [ "$tool" = memcheck ] || continue
    sanitize "$tool" 35 unfused "$peer" '--gtest_filter=*OnGpu.HasPhasegrids*' || true
    sanitize "$tool" 35 fused "$fused" '--gtest_filter=FusedMoe.OnAGpu*' || true
  done
}
