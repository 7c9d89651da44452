# shellcheck shell=bash
# Sourced by bench/gpu/all.sh: steps under a time limit, each with a log and one line of record.
# Needs: PART, PART_LIMIT (seconds), RESULTS, LOGS, REHEARSE (0 or 1); `summarise`, where there is one, is called after
# every step.

# record NAME STATUS RC SECONDS LIMIT NOTE: status is ok, failed, skipped (not run), missing (nothing to run) or no-gpu
# (ran as far as it goes without a GPU; in a rehearsal alone).
record() {
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$PART" "$@" | tr -d '\r' >>"$RESULTS/steps.tsv"
  printf '%-28s %-8s %7s s  %s\n' "$1" "$2" "$4" "$6"
  if declare -F summarise >/dev/null; then summarise >/dev/null 2>&1 || true; fi
}

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'; }

last_line() { tail -n 200 "$1" | tr '\t' ' ' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c1-160; }

# says_no_gpu LOG: the program gave its one sentence about the missing GPU.
says_no_gpu() { grep -qE 'no usable NVIDIA GPU|has no NVIDIA GPU|no GPU can be used' "$1"; }

# run_step NAME SECONDS COMMAND...: runs an external command and records how it went; returns its status.
run_step() {
  local name=$1 limit=$2 left=$((PART_LIMIT - SECONDS)) start=$EPOCHREALTIME rc=0
  shift 2
  if ((left < 5)); then
    record "$name" skipped - 0 "$limit" "no time left in part $PART"
    return 1
  fi
  ((limit <= left)) || limit=$left
  timeout -k 5 "$limit" "$@" >"$LOGS/$name.log" 2>&1 || rc=$?
  local seconds note
  seconds=$(seconds_since "$start")
  if ((rc == 0)); then
    if [ "$(grep -c 'not run on a GPU' "$LOGS/$name.log")" != 0 ]; then
      note="tests were skipped: not run on a GPU"
      if ((REHEARSE)); then
        record "$name" no-gpu 0 "$seconds" "$limit" "$note"
        return 0
      fi
      record "$name" failed 0 "$seconds" "$limit" "$note"
      return 1
    fi
    record "$name" ok 0 "$seconds" "$limit" "$(last_line "$LOGS/$name.log")"
  elif ((REHEARSE && rc == 2)) && says_no_gpu "$LOGS/$name.log"; then
    record "$name" no-gpu 2 "$seconds" "$limit" "$(last_line "$LOGS/$name.log")"
    return 0
  elif ((rc == 124 || rc == 137)); then
    record "$name" failed "$rc" "$seconds" "$limit" "stopped at its limit of $limit s"
  else
    record "$name" failed "$rc" "$seconds" "$limit" "exit status $rc: $(last_line "$LOGS/$name.log")"
  fi
  return "$rc"
}

# program NAME: its path under the build folder, or nothing.
program() { find "$BUILD" -type f -name "$1" -perm -u+x -not -path '*/CMakeFiles/*' 2>/dev/null | head -n 1; }

# run_program NAME SECONDS PROGRAM ARGUMENTS...: a step with a program of the build.
run_program() {
  local name=$1 limit=$2 path
  path=$(program "$3")
  shift 3
  if [ -z "$path" ]; then
    record "$name" missing - 0 "$limit" "the build has no such program"
    return 1
  fi
  run_step "$name" "$limit" "$path" "$@"
}
