// Appendix A.2 (every dense model has a mixture that equals it on sparse inputs) and A.3 (routers make convex cones),
// built and checked.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"

namespace phasegrid::reproduce {
namespace {

// Inputs of every support of at most `active` of n features, with values drawn anew for each.
std::vector<std::vector<float>> sparse_inputs(int n, int active) {
  std::vector<std::vector<float>> inputs;
  const std::vector<float> values = draw_inputs(std::vector<double>(static_cast<std::size_t>(n), 0.0), 1 << n, 5);
  for (int support = 0; support < 1 << n; ++support) {
    if (__builtin_popcount(static_cast<unsigned>(support)) > active) continue;
    std::vector<float> x(static_cast<std::size_t>(n));
    for (int f = 0; f < n; ++f) {
      if ((support >> f) % 2 != 0) x[static_cast<std::size_t>(f)] = values[static_cast<std::size_t>(support * n + f)];
    }
    inputs.push_back(std::move(x));
  }
  return inputs;
}

// A dense model's weights, drawn at random.
ConstructedModel random_dense(int n, int m) {
  ConstructedModel dense{{n, m, 1, 1}, {}};
  const std::vector<float> drawn =
      draw_inputs(std::vector<double>(static_cast<std::size_t>(dense.shape.parameter_count()), 0.0), 1, 77);
  for (float value : drawn) dense.parameters.push_back(2 * value - 1);
  return dense;
}

}  // namespace

Report analyse_a2() {
  Report report;
  report.figure = "a2";
  report.title = "Appendix A.2: a monosemantic mixture for sparse inputs";
  report.device = "float64, built by hand";
  const struct { int n, m, a; } cases[] = {{4, 2, 1}, {5, 2, 2}, {6, 3, 2}, {8, 4, 3}, {10, 4, 4}};
  for (const auto& [n, m, a] : cases) {
    const std::vector<std::vector<float>> inputs = sparse_inputs(n, a);
    const SubsetMixture mixture = SubsetMixture::monosemantic(n, m, a);
    const ConstructedModel linear = monosemantic_model(n, m, a);
    const ConstructedModel dense = random_dense(n, m);
    const SubsetMixture tied = SubsetMixture::tied(dense.view(), m, a);
    double identity = 0, by_model = 0, by_tied = 0;
    for (const std::vector<float>& x : inputs) {
      const std::vector<double> y = mixture.reconstruct(x), z = reconstruct(linear.view(), x), t = tied.reconstruct(x),
                                d = reconstruct(dense.view(), x);
      for (std::size_t f = 0; f < x.size(); ++f) {
        identity = std::max(identity, std::abs(y[f] - static_cast<double>(x[f])));
        by_model = std::max(by_model, std::abs(z[f] - static_cast<double>(x[f])));
        by_tied = std::max(by_tied, std::abs(t[f] - d[f]));
      }
    }
    const std::string shape = fmt::format("n = {}, m = {}, a = {}", n, m, a);
    report.add({fmt::format("{}: the monosemantic mixture reconstructs every input without error", shape), 0, identity,
                nullptr, 0, met_if(identity < 1e-12),
                fmt::format("largest error over all {} supports, {} experts", inputs.size(), mixture.n_experts())});
    report.add({fmt::format("{}: so does an ordinary k = 1 model with a linear router", shape), 0, by_model, nullptr, 0,
                met_if(by_model < 1e-6),
                "one expert a subset of a features; the router's row is the subset's indicator"});
    report.add({fmt::format("{}: tied experts equal a random dense model", shape), 0, by_tied, nullptr, 0,
                met_if(by_tied < 1e-9),
                "exact, but these experts keep the dense model's interference: they are not monosemantic"});
  }
  report.add(
      {"the router of the text, support(x) = S with subsets of exactly a features", "answers every input",
       "no expert answers to fewer than a active features", nullptr, 0, Ruling::differs,
       "ours takes an expert whose subset holds the support; and the number of experts is n over a, not n over m"});
  return report;
}

Report analyse_a3(const Trained& trained) {
  Report report;
  report.figure = "a3";
  report.title = "Appendix A.3: regions of a router are convex cones";
  const std::pair<const char*, const char*> routers[] = {{"table1_xavier", "k = 1, Xavier router, n = 100, E = 10"},
                                                         {"table1_k_hot", "k = 1, k-hot router, n = 100, E = 10"},
                                                         {"fig3_experts4_m5_k1", "k = 1, n = 100, E = 4"},
                                                         {"fig3_experts10_m2_k2", "k = 2, n = 100, E = 10"},
                                                         {"fig3_experts20_m1_k5", "k = 5, n = 100, E = 20"}};
  for (const auto& [name, label] : routers) {
    const Results& results = results_of(trained, name);
    report.device = results.device;
    ConeViolations all;
    const std::size_t models = std::min<std::size_t>(results.cells(), 8);
    for (std::size_t cell = 0; cell < models; ++cell) {
      const ConeViolations one = cone_violations(kept_model(results, cell), 2000, cell);
      all.scaled += one.scaled;
      all.scaling += one.scaling;
      all.set_pairs += one.set_pairs;
      all.set_addition += one.set_addition;
      all.expert_pairs += one.expert_pairs;
      all.expert_addition += one.expert_addition;
    }
    const bool one = results.sweep.shape.top_k == 1;
    const int seeds = static_cast<int>(models);
    report.add({fmt::format("{}: closed under positive scaling", label), 0, all.scaling, nullptr, seeds,
                met_if(all.scaling == 0),
                fmt::format("violations among {} scaled inputs, trained routers", all.scaled)});
    report.add({fmt::format("{}: an expert's region is {}closed under addition", label, one ? "" : "not "),
                one ? Json(0) : Json("> 0"), all.expert_addition, nullptr, seeds,
                met_if(one == (all.expert_addition == 0)),
                fmt::format("violations among {} pairs; of the region of a set of experts: {} among {}",
                            all.expert_pairs, all.set_addition, all.set_pairs)});
  }
  const ConstructedModel example = addition_counter_example();
  const float a[] = {1, 0}, b[] = {0, 1}, sum[] = {1, 1};
  const auto has = [&](std::span<const float> x) {
    return std::ranges::count(route(example.view(), x).experts, 1) > 0;
  };
  report.add({"k = 2, built by hand: expert 2 is active for (1, 0) and (0, 1) but not for their sum",
              "a union of cones", fmt::format("{}, {}, {}", has(a), has(b), has(sum)), nullptr, 0,
              met_if(has(a) && has(b) && !has(sum)), ""});
  return report;
}

}  // namespace phasegrid::reproduce
