// How a model represents its features, and how its router uses its experts: measures of paper sections 3.2, 4 and 5.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phasegrid/results.hpp"
#include "phasegrid/architecture.hpp"

namespace phasegrid {

// ---------------------------------------------------------------- one feature in one expert
// W [n][m] row-major, W_i its i-th row and Ŵ_i = W_i / ||W_i||. All are 0 for W_i = 0.
// ||W_i||: near 1 when the feature is fully represented. Paper 3.2.
double feature_norm(std::span<const float> expert, int n_features, int n_hidden, int feature);
// sum over j != i of (Ŵ_i . W_j)^2. Paper 3.2.
double interference(std::span<const float> expert, int n_features, int n_hidden, int feature);
// The square root of the interference, as Figures 1 and 2 colour it (authors' notebook demo-superposition).
double polysemanticity(std::span<const float> expert, int n_features, int n_hidden, int feature);
// D_i = ||W_i||^2 / sum over all j of (Ŵ_i . W_j)^2, the share of a dimension that the feature has to itself: 0 not
// learned, 1 monosemantic. Paper 3.2.
double feature_dimensionality(std::span<const float> expert, int n_features, int n_hidden, int feature);
// Which features have sqrt(sum over j != i of (W_i / (1e-5 + ||W_i||) . W_j)^2) < threshold and a norm of at least
// `least_norm` (the authors ask for none, so that a feature which is not learned counts). Table 1 (authors' notebook
// expert_specialization). The answer is the features, ascending.
std::vector<int> monosemantic_features(std::span<const float> expert, int n_features, int n_hidden,
                                       double threshold = 0.2, double least_norm = 0);

// Measures of every feature in every expert of every kept model: arrays [cell][E][n]; NaN where no model was kept.
struct FeatureMetrics {
  std::vector<float> norm;
  std::vector<float> interference;
  std::vector<float> polysemanticity;
  std::vector<float> dimensionality;
};
FeatureMetrics feature_metrics(const Results& results);

// ---------------------------------------------------------------- one model
// Parameters of one model and its shape. W and D [E][n][m], b [E][n], G [E][n], as in Results::parameters. Every measure
// of a model of which NaN were kept is NaN. Norms, interference and dimensionalities are those of W, the encoder.
struct ModelView {
  Shape shape;
  std::span<const float> parameters;

  std::span<const float> expert(int e) const;   // W, [n][m]
  std::span<const float> decoder(int e) const;  // D, [n][m]: W where weights are tied
  std::span<const float> bias(int e) const;     // [n]; empty where the model has none
  std::span<const float> router(int e) const;   // [n]
};
ModelView kept_model(const Results& results, std::size_t cell);

// The experts that an input [n] is routed to, by falling score (ties to the lower expert), and their gates (they sum to
// 1). Paper 3.1. In float64, so that a tie is an exact tie.
struct Routing {
  std::vector<int> experts;   // [k]
  std::vector<double> gates;  // [k]
};
Routing route(const ModelView& model, std::span<const float> input);
// The reconstruction x' [n] of an input [n]: sum over active e of gate_e output(D_e hidden(W_e^T x) + b_e)
// (architecture.hpp). Paper 3.1.
std::vector<double> reconstruct(const ModelView& model, std::span<const float> input);

// sum over experts and features of D_i^e. At most E m. Paper 3.2.
double total_capacity(const ModelView& model);

// Inputs [samples][n] for the measures below, of a sparsity a feature [n], from a seed of their own. With `chosen`
// features: `together` sets all of them to one uniform draw a sample, the others as they come; `alone` sets the others
// to 0. Table 1 (authors' notebook expert_specialization). The same bits everywhere; one seed gives the three presences
// the same features and the same common draws, and more samples begin with those of fewer.
enum class Presence { as_drawn, together, alone };
std::vector<float> draw_inputs(std::span<const double> sparsity, int samples, std::uint64_t seed,
                               std::span<const int> chosen = {}, Presence presence = Presence::as_drawn);

// The same for inputs that are not all zero: of their distribution given that a feature is present, so that none is
// drawn in vain however sparse they are. Throws InputError where there is no feature.
std::vector<float> draw_nonzero_inputs(std::span<const double> sparsity, int samples, std::uint64_t seed);

// Which inputs a measure of usage looks at. The all-zero input scores every expert 0, and a tie goes to the lower
// expert: at high sparsity, where most inputs are all zero, `all` tells which expert is the first one, and `nonzero`
// which experts see features. The paper counts all.
enum class Inputs { nonzero, all };

// Over inputs [samples][n], NaN where none of them counts. gate: mean gate weight of each expert, p_e of Figure 3 (they
// sum to 1); active: share of the inputs routed to each expert (they sum to k).
struct ExpertUsage {
  std::vector<double> gate;    // [E]
  std::vector<double> active;  // [E]
};
ExpertUsage expert_usage(const ModelView& model, std::span<const float> inputs, Inputs which = Inputs::nonzero);

// An expert that gets less than this share of the non-zero inputs is starved: its weights say little about how the
// model represents features.
constexpr double kStarvedShare = 0.01;

// sum over e of p_e ||W_e||_F^2 / m, times 1 / k as in Figure 3, or without it; `gate` is that of an ExpertUsage.
// Paper 3.2.
double features_per_dimension(const ModelView& model, std::span<const double> gate, bool divide_by_k = true);

// [n]: sum over e of P(e active | feature i present) D_i^e, over inputs [samples][n]; NaN for a feature that none has.
// Ours: the dimensionality that an input with the feature meets.
std::vector<double> global_feature_dimensionality(const ModelView& model, std::span<const float> inputs);

// [E]: share of the directions of the positive orthant (uniform on the sphere's part with all x_f >= 0, `samples` of
// them) that are routed to each expert first: the size of its cone for k = 1. Paper 5 and A.3.
std::vector<double> cone_shares(const ModelView& model, int samples, std::uint64_t seed);

// ---------------------------------------------------------------- a whole training
// What a researcher should know before believing a diagram.
struct TrainingHealth {
  std::int64_t diverged = 0;  // restarts whose loss stopped being finite
  std::int64_t empty = 0;     // cells that are trained and have no finite model
  std::int64_t dead = 0;  // kept models that represent nothing: no feature with a norm above kDeadNorm in any expert
  // The first cell with such a one, where there is any.
  std::size_t first_diverged = 0, first_empty = 0, first_dead = 0;
};
constexpr double kDeadNorm = 0.1;
TrainingHealth training_health(const Results& results);

// ---------------------------------------------------------------- a phase diagram
// How abrupt the boundaries of a field over the grid are; ours. Of every line of cells along one axis, V is the sum and
// J the largest of the |differences| between neighbours. A step gives J = V, a slow change J << V, a rough field a
// large V.
//   concentration = sum of J / sum of V over all lines (1: each line changes in one jump)
//   jump          = mean of J over the lines, in the field's units
//   roughness     = mean of V over the lines, less |last - first|
// with 95 % intervals from bootstrapping lines, those along each axis by themselves. They say how much lines differ:
// they are wide where lines cross different boundaries, and for noise alone a fifth too narrow (a 95 % interval covers
// in 88 to 92 %), as two lines that cross share a cell.
//
// Cells that are NaN or infinite are missing: differences from or to one are left out, and |last - first| is summed
// over the runs of cells between them, so that no jump is made up. A line without two neighbours is left out. The
// estimates are NaN where no line is left; the concentration also where nothing changes along any line.
struct Estimate {
  double value = 0, low = 0, high = 0;
};
struct Sharpness {
  Estimate concentration, jump, roughness;
};
// field [rows][columns]; lines run along the rows' index and along the columns' index, both counted.
Sharpness boundary_sharpness(std::span<const double> field, std::size_t rows, std::size_t columns,
                             std::uint64_t seed = 0);

}  // namespace phasegrid
