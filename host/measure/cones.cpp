#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "batch_router.hpp"
#include "phasegrid/constructions.hpp"
#include "phasegrid/error.hpp"
#include "random_words.hpp"

namespace phasegrid {
namespace {

constexpr double kRounding = 1e-12;
constexpr double kAbsent = 0.5;

// Where a given input stands in a router: how far behind an expert or a set of experts is.
class Standing {
 public:
  explicit Standing(const ModelView& model) : router_(model), router_weights_(0), k_(model.shape.top_k) {
    for (int e = 0; e < model.shape.n_experts; ++e) {
      for (float weight : model.router(e)) router_weights_ = std::max(router_weights_, std::abs(double{weight}));
    }
  }

  void look_at(std::span<const double> x) {
    router_.route(x);
    scale_ = 0;
    for (double value : x) scale_ += std::abs(value) * router_weights_;
  }

  // Some expert outside of the set has a higher score than one in it.
  bool leaves(const std::vector<int>& set) const {
    double worst_inside = INFINITY, best_outside = -INFINITY;
    for (std::size_t e = 0; e < router_.scores().size(); ++e) {
      const double score = router_.scores()[e];
      if (std::ranges::binary_search(set, static_cast<int>(e))) {
        worst_inside = std::min(worst_inside, score);
      } else {
        best_outside = std::max(best_outside, score);
      }
    }
    return best_outside - worst_inside > kRounding * scale_;
  }

  // k experts or more have a higher score than this one.
  bool leaves(int expert) const {
    const double own = router_.scores()[static_cast<std::size_t>(expert)];
    const auto ahead =
        std::ranges::count_if(router_.scores(), [&](double score) { return score - own > kRounding * scale_; });
    return ahead >= k_;
  }

  std::vector<int> set() const {  // ascending
    std::vector<int> experts(router_.experts().begin(), router_.experts().end());
    std::ranges::sort(experts);
    return experts;
  }

  bool usable() const { return router_.usable(); }

 private:
  BatchRouter router_;
  double router_weights_;  // the largest magnitude
  std::ptrdiff_t k_;
  double scale_ = 0;
};

}  // namespace

ConeViolations cone_violations(const ModelView& model, int samples, std::uint64_t seed) {
  Standing standing(model);
  if (!standing.usable()) throw InputError("cone_violations needs a model whose router weights are all finite");
  const auto n = static_cast<std::size_t>(model.shape.n_features);
  const std::vector<float> drawn = draw_inputs(std::vector<double>(n, kAbsent), samples, seed);
  const auto input = [&](std::size_t i) { return std::span(drawn).subspan(i * n, n); };

  ConeViolations counts;
  std::map<std::vector<int>, std::size_t> last_of_set;
  std::vector<std::optional<std::size_t>> last_of_expert(static_cast<std::size_t>(model.shape.n_experts));
  std::vector<double> x(n);
  const auto look_at_sum = [&](std::size_t i, std::size_t j) {
    std::ranges::transform(input(i), input(j), x.begin(), [](float a, float b) { return double{a} + double{b}; });
    standing.look_at(x);
  };
  for (std::size_t i = 0; i < drawn.size() / n; ++i) {
    std::ranges::copy(input(i), x.begin());
    standing.look_at(x);
    const std::vector<int> set = standing.set();

    const double u = open_uniform(random_words(seed, MeasureStream::scale, static_cast<std::uint32_t>(i))[0]);
    for (double& value : x) value *= std::exp2(20 * u - 10);
    standing.look_at(x);
    ++counts.scaled;
    counts.scaling += standing.leaves(set);

    const auto [found, is_new] = last_of_set.try_emplace(set, i);
    if (!is_new) {
      look_at_sum(i, found->second);
      ++counts.set_pairs;
      counts.set_addition += standing.leaves(set);
      found->second = i;
    }
    for (int e : set) {
      std::optional<std::size_t>& last = last_of_expert[static_cast<std::size_t>(e)];
      if (last) {
        look_at_sum(i, *last);
        ++counts.expert_pairs;
        counts.expert_addition += standing.leaves(e);
      }
      last = i;
    }
  }
  return counts;
}

ConstructedModel addition_counter_example() {
  ConstructedModel model;
  model.shape = {2, 1, 3, 2};
  model.parameters.assign(static_cast<std::size_t>(model.shape.parameter_count()), 0.0f);
  const float router[] = {1, 0, 0.25f, 0.25f, 0, 1};
  std::ranges::copy(router, model.parameters.begin() + model.shape.router_offset());
  return model;
}

}  // namespace phasegrid
