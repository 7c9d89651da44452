#include "arrays.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace phasegrid::unfused {
namespace {

int fits(int64_t count, const char* what) {
  if (count > std::numeric_limits<int>::max()) {
    throw std::invalid_argument(std::string("models x batch is too large for the unfused peer: ") + what +
                                " would be " + std::to_string(count) + ", and it counts up to 2147483647");
  }
  return static_cast<int>(count);
}

// A power of two near half an expert's share of the batch: few rows are filled up, and products stay large.
int chosen_block_rows(int batch, int k, int experts) {
  int rows = 8;
  while (rows < 256 && 4 * rows <= batch * k / experts) rows *= 2;
  return rows;
}

}  // namespace

Sizes sizes_of(const Settings& settings) {
  const Shape& shape = settings.shape;
  Sizes s{};
  s.models = settings.models;
  s.batch = settings.batch;
  s.n = shape.n_features;
  s.m = shape.n_hidden;
  s.E = shape.n_experts;
  s.k = shape.top_k;
  s.dense = s.E == 1;
  s.balance = settings.load_balance != 0 && !s.dense;
  const int64_t samples = int64_t{s.models} * s.batch;
  s.samples = fits(samples, "samples");
  s.entries = fits(samples * s.k, "entries");
  s.experts = fits(int64_t{s.models} * s.E, "experts");
  if (s.dense) {
    s.block_rows = s.batch;
    s.blocks = s.models;
  } else {
    s.block_rows = settings.block_rows > 0 ? settings.block_rows : chosen_block_rows(s.batch, s.k, s.E);
    s.blocks = fits(int64_t{s.entries} / s.block_rows + s.experts, "blocks");
  }
  s.rows = fits(int64_t{s.blocks} * s.block_rows, "rows");
  (void)fits(int64_t{s.rows} * std::max({s.n, s.m + 1, s.E}), "numbers of an intermediate");
  (void)fits(int64_t{s.blocks} * (s.m + 1) * s.n, "numbers of the blocks' gradients");
  s.calls = fits((int64_t{s.batch} * s.n + 3) / 4, "random calls");
  (void)fits(int64_t{s.calls} * s.models, "random calls");
  while ((int64_t{1} << s.key_bits) < s.experts) ++s.key_bits;
  s.weights = fits(int64_t{s.experts} * (s.m + 1) * s.n, "weights");
  s.parameters = fits(int64_t{s.weights} + int64_t{s.experts} * s.n, "parameters");
  s.loss_scale = settings.loss_scale;
  s.learning_rate = settings.learning_rate;
  s.weight_decay = settings.weight_decay;
  s.load_balance = settings.load_balance;
  s.seed[0] = static_cast<uint32_t>(settings.seed);
  s.seed[1] = static_cast<uint32_t>(settings.seed >> 32);
  return s;
}

}  // namespace phasegrid::unfused
