# shellcheck shell=bash
# Sourced by bench/gpu/all.sh: the gpu tests, and every benchmark and peer, the most wanted first.

run_gpu_tests() {
  run_program gpu_test 200 gpu_test || true
  run_program unfused_peer_test 60 unfused_peer_test || true
  run_program fused_moe_test 60 fused_moe_test || true
}

# train_paper NAME SECONDS SWEEP_FILE...: trains sweeps of experiments/ as the paper has them, and keeps nothing.
train_paper() {
  local name=$1 limit=$2 out="$BUILD/out/$1"
  shift 2
  rm -rf "$out"
  mkdir -p "$out"
  run_program "$name" "$limit" phasegrid run "$@" --device cuda --fresh --out "$out" || true
  rm -rf "$out"
}

run_benchmarks() {
  train_paper figure4 90 experiments/fig4_*.toml
  train_paper whole_paper 150 experiments/*.toml
  run_program gpu_train 120 gpu_train --out "$RESULTS/gpu_train.json" || true
  run_program rates_cuda 45 rates_cuda --out "$RESULTS/rates_cuda.json" || true
  if [ -f bench/compare_peers.py ]; then
    run_step compare_peers 200 python3 bench/compare_peers.py --device cuda --out "$RESULTS/compare_peers.json" || true
  else
    record compare_peers missing - 0 200 "there is no bench/compare_peers.py"
  fi
  run_program fused_moe_paper 60 fused_moe --device cuda --paper --seconds 45 --out "$RESULTS/fused_moe_paper.json" || true
  run_program fused_moe 130 fused_moe --device cuda --seconds 100 --out "$RESULTS/fused_moe.json" || true
}
