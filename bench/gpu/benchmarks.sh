# shellcheck shell=bash
# Sourced by bench/gpu/all.sh: the gpu tests, and every benchmark and peer.

# train_paper NAME SECONDS SWEEP_FILE...: trains sweeps of experiments/ as the paper has them, and keeps nothing.
train_paper() {
  local name=$1 limit=$2 out="$BUILD/out/$1"
  shift 2
  rm -rf "$out"
  mkdir -p "$out"
  run_program "$name" "$limit" phasegrid run "$@" --device cuda --fresh --out "$out" || true
  rm -rf "$out"
}

# The limits of each part's steps fit its ten minutes (tests/bench/gpu_all_script_test.py adds them up).
run_bits() {
  run_program gpu_test 120 gpu_test || true
  train_paper figure4 60 experiments/fig4_*.toml
  run_program unfused_peer_test 30 unfused_peer_test || true
  run_program fused_moe_test 30 fused_moe_test || true
}

run_benchmarks() {
  train_paper whole_paper 100 experiments/fig[1-8]*.toml experiments/table1.toml experiments/selection.toml \
    experiments/findings.toml
  if [ -f bench/compare_peers.py ]; then
    run_step compare_peers 200 python3 bench/compare_peers.py --device cuda --out "$RESULTS/compare_peers.json" || true
  else
    record compare_peers missing - 0 200 "there is no bench/compare_peers.py"
  fi
  run_program gpu_train 170 gpu_train --parts shapes --out "$RESULTS/gpu_train.json" || true
  run_program fused_moe_paper 60 fused_moe --device cuda --paper --seconds 45 --out "$RESULTS/fused_moe_paper.json" || true
  run_program rates_cuda 30 rates_cuda --out "$RESULTS/rates_cuda.json" || true
}

run_growth() {
  run_program growth 50 gpu_train --parts growth --out "$RESULTS/growth.json" || true
  run_program fused_moe 60 fused_moe --device cuda --seconds 45 --out "$RESULTS/fused_moe.json" || true
}
