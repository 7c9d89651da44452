#!/usr/bin/env bash
# Stands in for compute-sanitizer in rehearsals and tests: runs the program it is given and never reports anything. That
# bench/gpu/all.sh must find out.
while [ "${1#--}" != "$1" ]; do
  shift 2  # every option that all.sh gives has a value
done
"$@"
exit 0
