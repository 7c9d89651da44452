#include "residue.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace phasegrid::reproduce {
namespace {

// Standard normal numbers by Box and Muller's method, from uniform ones that are the same everywhere.
std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  const std::vector<double> always(2, 0.0);
  const std::vector<float> uniform = draw_inputs(always, static_cast<int>(count), seed);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - static_cast<double>(uniform[2 * i])));
    values[i] = static_cast<float>(radius * std::cos(2 * std::numbers::pi * static_cast<double>(uniform[2 * i + 1])));
  }
  return values;
}

// Kept in float32 throughout: its rounding is what this is about.
class Trainer {
 public:
  Trainer(const Sweep& sweep, std::uint64_t seed, bool residue)
      : shape_(sweep.shape), cell_(Grid(sweep).cell(0)), seed_(seed), residue_(residue) {
    const auto count = static_cast<std::size_t>(shape_.parameter_count());
    parameters_.assign(count, 0.0f);
    const std::vector<float> draws = normals(count, seed_ << 32);
    const double W = std::sqrt(2.0 / (shape_.n_hidden * (shape_.n_features + shape_.n_experts)));
    for (int i = 0; i < shape_.weight_count(); ++i) at(i) = static_cast<float>(W) * draws[static_cast<std::size_t>(i)];
    const auto G = static_cast<float>(std::sqrt(2.0 / (shape_.n_features + shape_.n_experts)));
    for (int e = 0; e < shape_.n_experts; ++e) {
      for (int f = 0; f < shape_.n_features; ++f) {
        const int i = shape_.router_offset() + e * shape_.n_features + f;
        if (cell_.init.router == RouterInit::xavier) at(i) = G * draws[static_cast<std::size_t>(i)];
        if (cell_.init.router == RouterInit::diagonal && e == f) at(i) = 1;
      }
    }
    first_.assign(count, 0.0f);
    second_.assign(count, 0.0f);
  }

  ResidueRun run() {
    const TrainSettings& train = cell_.train;
    double rate = train.learning_rate, loss = 0;
    bool dropped = false;
    for (int step = 0; step < train.steps; ++step) {
      const std::uint64_t batch_seed = (seed_ << 32) + 1 + static_cast<std::uint64_t>(step);
      loss = gradients(draw_inputs(cell_.sparsity, train.batch, batch_seed));
      if (!dropped && loss < train.drop_below) {
        rate *= train.drop_factor;
        dropped = true;
      }
      if (loss < train.stop_below) break;
      update(static_cast<float>(rate), static_cast<float>(train.weight_decay), step + 1);
    }
    return {{shape_, parameters_}, loss};
  }

 private:
  float& at(int i) { return parameters_[static_cast<std::size_t>(i)]; }

  // Fills gradient_ and returns the loss of a batch [batch][n].
  double gradients(const std::vector<float>& inputs) {
    const int n = shape_.n_features, m = shape_.n_hidden, E = shape_.n_experts;
    gradient_.assign(parameters_.size(), 0.0f);
    const auto scale = 2.0f / static_cast<float>(cell_.train.batch);
    double loss = 0;
    std::vector<float> score(static_cast<std::size_t>(E)), hidden(static_cast<std::size_t>(m)),
        back(static_cast<std::size_t>(m)), slope(static_cast<std::size_t>(n));
    for (std::size_t first = 0; first < inputs.size(); first += static_cast<std::size_t>(n)) {
      const float* x = inputs.data() + first;
      for (int e = 0; e < E; ++e) {
        float sum = 0;
        for (int f = 0; f < n; ++f) sum += at(shape_.router_offset() + e * n + f) * x[f];
        score[static_cast<std::size_t>(e)] = sum;
      }
      const auto top = static_cast<int>(std::ranges::max_element(score) - score.begin());  // the first of equals

      const int w = top * n * m, b = shape_.bias_offset() + top * n;
      std::ranges::fill(hidden, 0.0f);
      std::ranges::fill(back, 0.0f);
      for (int f = 0; f < n; ++f) {
        for (int h = 0; h < m; ++h) hidden[static_cast<std::size_t>(h)] += at(w + f * m + h) * x[f];
      }
      float gate_slope = 0;
      for (int f = 0; f < n; ++f) {
        float sum = at(b + f);
        for (int h = 0; h < m; ++h) sum += at(w + f * m + h) * hidden[static_cast<std::size_t>(h)];
        const float y = std::max(sum, 0.0f), error = y - x[f];
        loss += static_cast<double>(error) * static_cast<double>(error);
        gate_slope += scale * error * y;
        slope[static_cast<std::size_t>(f)] = sum > 0 ? scale * error : 0.0f;
        gradient_[static_cast<std::size_t>(b + f)] += slope[static_cast<std::size_t>(f)];
        for (int h = 0; h < m; ++h) {
          gradient_[static_cast<std::size_t>(w + f * m + h)] +=
              slope[static_cast<std::size_t>(f)] * hidden[static_cast<std::size_t>(h)];
          back[static_cast<std::size_t>(h)] += slope[static_cast<std::size_t>(f)] * at(w + f * m + h);
        }
      }
      for (int f = 0; f < n; ++f) {
        for (int h = 0; h < m; ++h) {
          gradient_[static_cast<std::size_t>(w + f * m + h)] += back[static_cast<std::size_t>(h)] * x[f];
        }
      }
      if (residue_) add_residue(score, top, gate_slope, x);
    }
    return loss / cell_.train.batch;
  }

  void add_residue(std::vector<float>& score, int top, float gate_slope, const float* x) {
    const float highest = score[static_cast<std::size_t>(top)];
    float sum = 0;
    for (float& s : score) sum += s = std::exp(s - highest);
    for (float& s : score) s /= sum;  // P
    const float P = score[static_cast<std::size_t>(top)];
    const float left = gate_slope / P - gate_slope * (P / P / P);
    for (int e = 0; e < shape_.n_experts; ++e) {
      const float through = score[static_cast<std::size_t>(e)] * ((e == top ? left : 0.0f) - P * left);
      for (int f = 0; f < shape_.n_features; ++f) {
        gradient_[static_cast<std::size_t>(shape_.router_offset() + e * shape_.n_features + f)] += through * x[f];
      }
    }
  }

  void update(float rate, float decay, int step) {
    constexpr float kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-8f;
    const auto correct1 = static_cast<float>(1 - std::pow(0.9, step));
    const auto correct2 = static_cast<float>(std::sqrt(1 - std::pow(0.999, step)));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i] *= 1 - rate * decay;
      first_[i] = kBeta1 * first_[i] + (1 - kBeta1) * gradient_[i];
      second_[i] = kBeta2 * second_[i] + (1 - kBeta2) * gradient_[i] * gradient_[i];
      parameters_[i] -= rate / correct1 * first_[i] / (std::sqrt(second_[i]) / correct2 + kEpsilon);
    }
  }

  Shape shape_;
  Cell cell_;
  std::uint64_t seed_;
  bool residue_;
  std::vector<float> parameters_, gradient_, first_, second_;
};

}  // namespace

ResidueRun train_with_residue(const Sweep& sweep, std::uint64_t seed, bool residue) {
  const Cell cell = Grid(sweep).cell(0);
  const bool plain = sweep.shape.top_k == 1 && cell.train.loss == Loss::sum && cell.train.load_balance == 0 &&
                     cell.train.schedule == Schedule::constant && cell.init.bias == BiasInit::zero &&
                     cell.init.router <= RouterInit::diagonal &&
                     std::ranges::all_of(cell.importance, [](double i) { return i == 1; });
  if (!plain) throw std::invalid_argument("train_with_residue: not for these settings");
  return Trainer(sweep, seed, residue).run();
}

}  // namespace phasegrid::reproduce
