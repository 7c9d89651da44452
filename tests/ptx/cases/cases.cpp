#include "cases.hpp"

#include <algorithm>
#include <random>

#include "support/family.hpp"

namespace ptx {
using namespace phasegrid;

namespace {
Problem diverging(const Shape& shape, bool block) {
  return {"diverging", shape,  {make_cell(shape, 64, 6, 0.01, 7, 0.4, 1e30), make_cell(shape, 64, 6, 0.0, 7, 0.4, 1e8)},
          2,           {1, 6}, block};
}
// With three of five steps behind them.
Problem going_on(const Shape& shape, bool block) {
  Problem p{"going on", shape, {make_cell(shape, 40, 5, 0.01, 7), make_cell(shape, 33, 5, 0.0, 8, 0.9)}, 2, {}, block};
  p.cells[1].train.warmup = 4;
  p.behind = 3;
  return p;
}
// More models than are trained at once, so that some are never begun.
Problem stopped(const Shape& shape, bool block, int stop_after) {
  Problem p{"stopped after " + std::to_string(stop_after), shape, {make_cell(shape, 40, 3, 0.01, 7)}, 12, {1}, block};
  p.stop_after = stop_after;
  return p;
}

struct Corner {
  Shape shape;
  double balance;
  int batch, tile, blocks;
};
Problem at_corner(const Corner& c) {
  Problem p{"corner",
            c.shape,
            {make_cell(c.shape, c.batch, 3, c.balance, 5), make_cell(c.shape, c.batch / 2 + 1, 3, c.balance, 6, 0.8)},
            1,
            {0, 1, 2},
            true,
            false,
            c.blocks,
            c.tile};
  for (size_t f = 0; f < p.cells[0].sparsity.size(); ++f) {
    p.cells[0].sparsity[f] = 0.1 + 0.8 * static_cast<double>(f * 7 % 11) / 11.0;
  }
  p.cells[0].train.schedule = Schedule::cosine;
  return p;
}
}  // namespace

std::vector<Problem> tiny_problems(const std::string& kernel) {
  const int n = kernel[5] - '0', m = kernel[6] - '0', E = kernel[7] - '0';
  const bool top1 = kernel[9] == '1';
  std::vector<Problem> all;
  for (int k = top1 ? 1 : 2; k <= (top1 ? 1 : E); ++k) {
    const Shape shape{n, m, E, k};
    Problem p{"four cells",
              shape,
              {make_cell(shape, 512, 8, 0.01, 7), make_cell(shape, 100, 10, 0.0, 8),
               make_cell(shape, 33, 7, 0.3, 9, 0.0), make_cell(shape, 7, 7, 0.05, 10, 0.9)},
              3,
              {0, 1, 4, 7},
              false,
              false,
              2};
    p.cells[0].train.drop_below = 0.1;
    p.cells[1].train.schedule = Schedule::cosine;
    p.cells[1].init.router = RouterInit::zero;
    p.cells[2].train.schedule = Schedule::linear;
    p.cells[2].train.loss = Loss::sum;
    p.cells[2].init.router = RouterInit::diagonal;
    p.cells[2].init.bias = BiasInit::zero;
    p.cells[3].train.keep = Keep::evaluation;
    if (n % E == 0) p.cells[3].init.router = RouterInit::random_k_hot;
    all.push_back(p);
    all.push_back(diverging(shape, false));
    all.push_back(going_on(shape, false));
    all.push_back(stopped(shape, false, 0));
    all.push_back(stopped(shape, false, 1));
  }
  return all;
}

std::vector<Problem> block_problems(bool every) {
  std::vector<Corner> corners = {{{2, 1, 3, 1}, 0.05, 70, 0, 1},
                                 {{20, 5, 4, 1}, 0.0, 70, 0, 2},
                                 {{37, 5, 1, 1}, 0.0, 70, 0, 1},
                                 {{9, 1, 7, 4}, 0.05, 100, 128, 1}};
  if (every) {
    corners.insert(corners.end(), {{{22, 6, 1, 1}, 0.0, 300, 0, 1},
                                   {{70, 2, 6, 2}, 0.0, 70, 0, 1},
                                   {{70, 9, 6, 3}, 0.05, 70, 64, 1},
                                   {{20, 5, 4, 1}, 0.05, 200, 64, 1},
                                   {{20, 6, 1, 1}, 0.0, 150, 0, 2},
                                   {{8, 3, 2, 1}, 0.01, 512, 0, 1},
                                   {{8, 3, 2, 2}, 0.01, 512, 256, 1},
                                   {{100, 20, 1, 1}, 0.0, 512, 0, 1},
                                   {{128, 7, 3, 1}, 0.01, 96, 32, 1},
                                   {{129, 13, 2, 2}, 0.01, 70, 0, 1},
                                   {{1, 1, 1, 1}, 0.0, 1, 0, 1},
                                   {{5, 4, 64, 8}, 0.01, 64, 0, 1},
                                   {{6, 2, 40, 40}, 0.01, 33, 0, 1}});
  }
  std::vector<Problem> all;
  for (const Corner& c : corners) all.push_back(at_corner(c));
  std::vector<Shape> shapes = {{12, 3, 4, 2}};
  if (every) shapes.insert(shapes.end(), {{12, 3, 2, 1}, {12, 3, 1, 1}});
  for (const Shape& s : shapes) {
    all.push_back(diverging(s, true));
    all.push_back(going_on(s, true));
    all.push_back(stopped(s, true, 0));
    all.push_back(stopped(s, true, 2));
    // A router of zeros: every score ties.
    Problem ties{"ties", s, {make_cell(s, 40, 2, 0.01, 7)}, 1, {2}, true};
    ties.cells[0].init.router = RouterInit::zero;
    all.push_back(ties);
  }
  if (every) {
    Problem evaluation{"evaluation", shapes[0], {make_cell(shapes[0], 40, 2, 0.01, 7)}, 1, {2}, true};
    evaluation.cells[0].train.keep = Keep::evaluation;
    all.push_back(evaluation);
  }
  return all;
}

std::vector<Problem> family_problems(bool every, bool large) {
  std::mt19937 random(61);
  std::vector<Problem> all;
  while (all.size() < (every ? 40u : 8u)) {
    const testing::BlockTrial trial = testing::random_family_trial(random, 24);
    if (is_plain(trial.shape, trial.cell)) continue;
    Problem p{testing::name_of(trial), trial.shape, {trial.cell}, 1, {0, 1, 2}, true, large};
    p.cells[0].train.steps = 3;
    all.push_back(std::move(p));
  }
  if (large) {  // a plain model that is too large for shared memory comes here too
    all.push_back(at_corner({{20, 5, 4, 1}, 0.05, 70, 0, 2}));
    all.back().large = true;
  }
  return all;
}

namespace {
// Where a last bit is not lost: numbers that no product is exact with, two or three samples a lane (the first is added to
// zero), and SGD, for AdamW's first steps follow the signs of gradients alone.
Problem sensitive(const Shape& shape, bool block) {
  const int steps = block ? 3 : 6;
  Problem p{"sensitive", shape, {make_cell(shape, 90, steps, 0.05, 11), make_cell(shape, 70, steps, 0.01, 12, 0.2)},
            block ? 1 : 4, {0, 1, 2}, block};
  for (Cell& cell : p.cells) {
    for (size_t f = 0; f < cell.importance.size(); ++f) cell.importance[f] = 0.83 / (1.0 + 0.3 * static_cast<double>(f));
  }
  p.cells[0].train.optimizer = Optimizer::sgd;
  p.cells[0].train.learning_rate = 3;
  p.cells[1].train.schedule = Schedule::cosine;
  p.cells[1].train.weight_decay = 0.3;
  return p;
}
}  // namespace

std::vector<Problem> mutation_problems(const std::string& kernel) {
  std::vector<Problem> all;
  if (kernel == "block") {
    for (const Corner& c : {Corner{{20, 5, 4, 1}, 0.05, 100, 64, 1}, Corner{{37, 5, 1, 1}, 0.0, 150, 0, 1},
                            Corner{{9, 3, 7, 4}, 0.05, 100, 128, 1}, Corner{{9, 3, 7, 4}, 0.0, 200, 128, 1}}) {
      all.push_back(at_corner(c));
      all.back().cells.resize(1);
      all.back().restarts = 2;
    }
    for (const Shape& shape : {Shape{20, 5, 4, 1}, Shape{37, 5, 1, 1}, Shape{9, 3, 7, 4}}) all.push_back(sensitive(shape, true));
    return all;
  }
  const Shape shape{kernel[5] - '0', kernel[6] - '0', kernel[7] - '0', kernel[9] == '1' ? 1 : 2};
  Problem p{"mutated", shape, {make_cell(shape, 200, 4, 0.01, 7), make_cell(shape, 64, 4, 0.0, 8)}, 5, {0, 4}};
  p.cells[1].train.schedule = Schedule::cosine;
  return {p, sensitive(shape, false)};
}

Problem paper_problem(const Shape& shape, bool block, int steps) {
  return {"paper", shape, {make_cell(shape, 512, steps, 0.01, 7, 0.7, 1e-3)}, 1, {}, block};
}

}  // namespace ptx
