#include "measures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "cell_inputs.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

using Drawn = std::span<const float>;
using Options = MeasureOptions;
using Rows = std::span<const std::span<double>>;

// Every expert's every feature, by a function of metrics.hpp.
template <double (*of_feature)(std::span<const float>, int, int, int)>
void features(const ModelView& model, Drawn, const Options&, Rows rows) {
  const Shape& shape = model.shape;
  auto* next = rows[0].data();
  for (int e = 0; e < shape.n_experts; ++e) {
    for (int f = 0; f < shape.n_features; ++f) {
      *next++ = of_feature(model.expert(e), shape.n_features, shape.n_hidden, f);
    }
  }
}

void copy_to(const std::vector<double>& from, std::span<double> to) { std::ranges::copy(from, to.begin()); }

void capacity(const ModelView& model, Drawn, const Options&, Rows rows) { rows[0][0] = total_capacity(model); }

void monosemantic(const ModelView& model, Drawn, const Options& options, Rows rows) {
  const Shape& shape = model.shape;
  for (int e = 0; e < shape.n_experts; ++e) {
    const auto found =
        monosemantic_features(model.expert(e), shape.n_features, shape.n_hidden, options.threshold, options.least_norm);
    rows[0][static_cast<std::size_t>(e)] = static_cast<double>(found.size());
  }
}

void usage(const ModelView& model, Drawn inputs, const Options& options, Rows rows) {
  const ExpertUsage used = expert_usage(model, inputs, options.inputs);
  copy_to(used.gate, rows[0]);
  copy_to(used.active, rows[1]);
}

void density(const ModelView& model, Drawn inputs, const Options& options, Rows rows) {
  rows[0][0] = features_per_dimension(model, expert_usage(model, inputs, options.inputs).gate, options.divide_by_k);
}

void global_dimensionality(const ModelView& model, Drawn inputs, const Options&, Rows rows) {
  copy_to(global_feature_dimensionality(model, inputs), rows[0]);
}

void cones(const ModelView& model, Drawn, const Options& options, Rows rows) {
  copy_to(cone_shares(model, options.samples, options.seed), rows[0]);
}

using enum Extent;

// A row reads as a row.
// clang-format off
// name, results, extents, needs inputs, options, float32, documentation, source, function
const std::vector<Measure>& table() {
  static const std::vector<Measure> rows = {
      {"feature_norms", {"feature_norm"}, {expert, feature}, false, {}, true,
       "||W_i||: near 1 when feature i is fully represented", "paper 3.2", features<feature_norm>},
      {"interference", {"interference"}, {expert, feature}, false, {}, true,
       "sum over j != i of (W_i / ||W_i|| . W_j)^2", "paper 3.2", features<interference>},
      {"polysemanticity", {"polysemanticity"}, {expert, feature}, false, {}, true,
       "the square root of the interference, as Figures 1 and 2 colour it", "authors' notebook demo-superposition",
       features<polysemanticity>},
      {"feature_dimensionality", {"feature_dimensionality"}, {expert, feature}, false, {}, true,
       "D_i = ||W_i||^2 / sum over all j of (W_i / ||W_i|| . W_j)^2: 0 not learned, 1 monosemantic", "paper 3.2",
       features<feature_dimensionality>},
      {"total_capacity", {"total_capacity"}, {}, false, {}, false,
       "the sum of D_i over experts and features, at most E m", "paper 3.2", capacity},
      {"monosemantic_counts", {"monosemantic_count"}, {expert}, false, {"threshold", "least_norm"}, false,
       "how many features an expert represents alone: sqrt(interference) below `threshold`, norm at least `least_norm`",
       "Table 1, authors' notebook expert_specialization", monosemantic},
      {"expert_usage", {"gate", "active"}, {expert}, true, {"samples", "seed", "inputs"}, false,
       "each expert's mean gate weight p_e, and the share of inputs that is routed to it", "paper 3.2", usage},
      {"features_per_dimension", {"features_per_dimension"}, {}, true, {"samples", "seed", "divide_by_k", "inputs"},
       false, "sum over e of p_e ||W_e||_F^2 / m, times 1 / k as in Figure 3 unless `divide_by_k` is False",
       "paper 3.2, Figure 3", density},
      {"global_feature_dimensionality", {"global_feature_dimensionality"}, {feature}, true, {"samples", "seed"}, false,
       "sum over e of P(e active | feature i present) D_i^e: what an input with the feature meets", "ours",
       global_dimensionality},
      {"cone_shares", {"cone_share"}, {expert}, false, {"samples", "seed"}, false,
       "share of the directions of the positive orthant that go to each expert first", "paper 5, A.3", cones},
  };
  return rows;
}
// clang-format on

}  // namespace

std::size_t extent_of(const Shape& shape, Extent extent) {
  return static_cast<std::size_t>(extent == Extent::expert ? shape.n_experts : shape.n_features);
}

std::size_t Measure::size(const Shape& shape) const {
  std::size_t size = 1;
  for (const Extent extent : extents) size *= extent_of(shape, extent);
  return size;
}

void check_samples(int samples) {
  if (samples >= 1 && samples <= 10'000'000) return;
  throw InputError(fmt::format("samples must be a whole number from 1 to 10000000, not {}", samples));
}

std::span<const Measure> measures() { return table(); }

const Measure& measure_named(const std::string& name) {
  const auto found = std::ranges::find_if(table(), [&](const Measure& row) { return name == row.name; });
  if (found == table().end()) throw InputError(fmt::format("there is no measure {}", name));
  return *found;
}

std::vector<std::vector<double>> measure_cells(const Measure& measure, const Results& results,
                                               const MeasureOptions& options) {
  check_samples(options.samples);
  const Grid grid(results.sweep);
  const std::size_t size = measure.size(results.sweep.shape);
  std::vector<std::vector<double>> numbers(
      measure.results.size(), std::vector<double>(results.cells() * size, std::numeric_limits<double>::quiet_NaN()));
  std::optional<Cell> drawn_for;  // neighbouring cells often share their law, hence their inputs
  std::vector<float> inputs;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.kept[cell] < 0) continue;
    if (measure.needs_inputs) {
      const Cell of = grid.cell(cell);
      if (!drawn_for || of.sparsity != drawn_for->sparsity || of.inputs != drawn_for->inputs) {
        inputs = draw_cell_inputs(of.shape, of, options.samples, options.seed, options.inputs);
        drawn_for = of;
      }
    }
    const ModelView model = kept_model(results, cell);
    const std::size_t own = measure.size(model.shape);
    std::vector<std::span<double>> rows;
    for (auto& values : numbers) rows.push_back(std::span(values).subspan(cell * size, own));  // experts come first
    measure.measure(model, inputs, options, rows);
  }
  return numbers;
}

}  // namespace phasegrid
