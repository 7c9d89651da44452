// Figure 4's statement "discrete phase changes disappeared", as a number: how abruptly the last feature's norm and
// interference change between neighbouring cells, dense against mixture of experts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"

namespace phasegrid::reproduce {
namespace {

struct Field {
  std::vector<double> norm, interference;
};

Field field_of(const Results& results, int e) {
  Field field;
  const Shape& s = results.sweep.shape;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    const auto expert = kept_model(results, cell).expert(e);
    field.norm.push_back(feature_norm(expert, s.n_features, s.n_hidden, s.n_features - 1));
    field.interference.push_back(interference(expert, s.n_features, s.n_hidden, s.n_features - 1));
  }
  return field;
}

Json triple(const Estimate& e) { return {number(e.value), number(e.low), number(e.high)}; }

std::string text(const Estimate& e) { return fmt::format("{:.3f} ({:.3f}-{:.3f})", e.value, e.low, e.high); }

// The largest norm of any expert in each cell. Which expert has which number is chance and may swap between
// neighbouring cells, which makes a field of one expert rough; this one it leaves alone.
std::vector<double> largest_norm(const Results& results) {
  std::vector<double> largest = field_of(results, 0).norm;
  for (int e = 1; e < results.sweep.shape.n_experts; ++e) {
    const std::vector<double> norm = field_of(results, e).norm;
    for (std::size_t cell = 0; cell < norm.size(); ++cell) largest[cell] = std::max(largest[cell], norm[cell]);
  }
  return largest;
}

void add_dense(Report& report, const char* family, const char* what, const Sharpness& dense) {
  report.add({fmt::format("{}/1 dense: concentration of the changes of the last feature's {}", family, what),
              "phase change", dense.concentration.value, text(dense.concentration), 1, Ruling::recorded,
              fmt::format("jump {}, roughness {}: what the experts below are held against", text(dense.jump),
                          text(dense.roughness))});
}

// A gradual change has a lower concentration and smaller jumps. A lower concentration with larger jumps is a field that
// goes to and fro between neighbours, which concentration alone cannot tell from a gradual one.
void add_mixture(Report& report, const std::string& claim, const Sharpness& ours, const Sharpness& dense,
                 const std::string& note) {
  const bool less = ours.concentration.high < dense.concentration.low;
  const bool rough = ours.jump.low > dense.jump.high;
  report.add(
      {claim, "no discrete phase change", ours.concentration.value, text(ours.concentration), 1,
       less && rough ? Ruling::differs : met_if(less),
       fmt::format(
           "jump {} (dense {:.3f}), roughness {} (dense {:.3f}){}{}", text(ours.jump), dense.jump.value,
           text(ours.roughness), dense.roughness.value,
           less && rough ? ": not a gradual change but a rough one, with larger jumps than the dense model's" : "",
           note)});
}

Json row(const std::string& label, int expert, const char* field, const Sharpness& sharpness) {
  return {{"label", label},
          {"expert", expert},
          {"field", field},
          {"concentration", triple(sharpness.concentration)},
          {"jump", triple(sharpness.jump)},
          {"roughness", triple(sharpness.roughness)}};
}

}  // namespace

Report analyse_boundaries(const Trained& trained) {
  Report report;
  report.figure = "boundaries";
  report.title = "Figure 4: how abrupt the phase boundaries are";
  Json rows = Json::array();
  constexpr std::pair<const char*, const char*> kFamilies[] = {{"A", "fig4_21"}, {"B", "fig4_31"}, {"C", "fig4_32"}};
  for (const auto& [family, stem] : kFamilies) {
    Sharpness dense[2];  // of norm and interference
    for (int E = 1; E <= 3; ++E) {
      const std::string name = stem + std::to_string(E), label = fmt::format("{}/{}", family, E);
      if (!trained.contains(name)) continue;  // A has two experts at most
      const Results& results = results_of(trained, name);
      report.device = results.device;
      report.settings = settings_of(results.sweep);
      const auto extents = Grid(results.sweep).extents();
      for (int e = 0; e < E; ++e) {
        const Field field = field_of(results, e);
        for (std::size_t i = 0; i < 2; ++i) {
          const char* what = i == 0 ? "norm" : "interference";
          const Sharpness sharpness =
              boundary_sharpness(i == 0 ? field.norm : field.interference, extents[0], extents[1]);
          rows.push_back(row(label, e + 1, what, sharpness));
          if (E == 1) {
            dense[i] = sharpness;
            add_dense(report, family, what, sharpness);
          } else {
            add_mixture(report, fmt::format("{} expert {}: {} less concentrated than dense", label, e + 1, what),
                        sharpness, dense[i], "");
          }
        }
      }
      if (E == 1) continue;
      add_mixture(
          report, fmt::format("{} largest norm of any expert: less concentrated than dense", label),
          boundary_sharpness(largest_norm(results), extents[0], extents[1]), dense[0],
          "; free of swapped expert numbers between neighbouring cells, which add to the roughness of the rows above");
    }
  }
  report.picture = {{"rows", rows}};
  return report;
}

}  // namespace phasegrid::reproduce
