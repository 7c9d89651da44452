// The shapes that benchmarks share: Figure 4's eight architectures (tiny mapping), and those of the paper's other
// figures and Table 1 (block mapping).
#pragma once

#include "phasegrid/architecture.hpp"

namespace phasegrid::bench {

struct Case {
  const char* name;
  Shape shape;
  double density;
  int batch;
  double load_balance;
};
constexpr Case kTinyCases[] = {
    {"211", {2, 1, 1, 1}, 0.5, 512, 0.01}, {"212", {2, 1, 2, 1}, 0.5, 512, 0.01}, {"311", {3, 1, 1, 1}, 0.5, 512, 0.01},
    {"312", {3, 1, 2, 1}, 0.5, 512, 0.01}, {"313", {3, 1, 3, 1}, 0.5, 512, 0.01}, {"321", {3, 2, 1, 1}, 0.5, 512, 0.01},
    {"322", {3, 2, 2, 1}, 0.5, 512, 0.01}, {"323", {3, 2, 3, 1}, 0.5, 512, 0.01},
};
constexpr Case kBlockCases[] = {
    {"fig3_dense_m20", {100, 20, 1, 1}, 0.5, 1024, 0},  {"fig3_4_experts", {100, 5, 4, 1}, 0.5, 1024, 0},
    {"fig3_10_experts", {100, 2, 10, 2}, 0.5, 1024, 0}, {"fig3_20_experts", {100, 1, 20, 5}, 0.5, 1024, 0},
    {"table1", {100, 10, 10, 1}, 0.1, 1024, 0},         {"fig1_dense", {20, 6, 1, 1}, 0.1, 1024, 0},
    {"fig2_moe", {20, 2, 3, 1}, 0.1, 1024, 0},          {"fig6", {20, 5, 4, 1}, 0.1, 1024, 0},
};

}  // namespace phasegrid::bench
