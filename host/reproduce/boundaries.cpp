// Figure 4's statement "discrete phase changes disappeared", as a number: how abruptly the last feature's norm and
// interference change between neighbouring cells, dense against mixture of experts.
#include <fmt/format.h>

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

}  // namespace

Report analyse_boundaries(const Trained& trained) {
  Report report;
  report.figure = "boundaries";
  report.title = "Figure 4: how abrupt the phase boundaries are";
  Json rows = Json::array();
  for (const auto& [family, dense_name] : {std::pair("A", "fig4_211"), std::pair("B", "fig4_311"), std::pair("C", "fig4_321")}) {
    Sharpness dense[2];  // of norm and interference
    for (int E = 1; E <= 3; ++E) {
      std::string name = dense_name;
      name.back() = static_cast<char>('0' + E);
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
          rows.push_back({{"label", fmt::format("{}/{}", family, E)},
                          {"expert", e + 1},
                          {"field", what},
                          {"concentration", triple(sharpness.concentration)},
                          {"jump", triple(sharpness.jump)},
                          {"roughness", triple(sharpness.roughness)}});
          if (E == 1) {
            dense[i] = sharpness;
            report.add({fmt::format("{}/1 dense: concentration of the changes of the last feature's {}", family, what),
                        "phase change", sharpness.concentration.value, text(sharpness.concentration), 1, Ruling::recorded,
                        fmt::format("jump {}, roughness {}: what the experts below are held against", text(sharpness.jump),
                                    text(sharpness.roughness))});
            continue;
          }
          // A gradual change has a lower concentration and smaller jumps. A lower concentration with larger jumps is a
          // field that goes to and fro between neighbours, which concentration alone cannot tell from a gradual one.
          const bool less = sharpness.concentration.high < dense[i].concentration.low;
          const bool rough = sharpness.jump.low > dense[i].jump.high;
          report.add({fmt::format("{}/{} expert {}: {} less concentrated than dense", family, E, e + 1, what),
                      "no discrete phase change", sharpness.concentration.value, text(sharpness.concentration), 1,
                      less && rough ? Ruling::differs : met_if(less),
                      fmt::format("jump {} (dense {:.3f}), roughness {} (dense {:.3f}){}", text(sharpness.jump),
                                  dense[i].jump.value, text(sharpness.roughness), dense[i].roughness.value,
                                  less && rough ? ": not a gradual change but a rough one, with larger jumps than the "
                                                  "dense model's; which of several solutions a cell's kept restart found "
                                                  "decides"
                                                : "")});
        }
      }
    }
  }
  report.picture = {{"rows", rows}};
  return report;
}

}  // namespace phasegrid::reproduce
