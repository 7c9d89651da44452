// Figure 8's statements on the losses of Figure 4's models (without the load balance, which the paper's hold: about
// 0.01 for a mixture, and a constant 0.01 for a dense model), and what Figure 4's colours say when one scale serves all
// panels of an architecture instead of one scale a panel.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures.hpp"
#include "statistics.hpp"

namespace phasegrid::reproduce {
namespace {

struct Family {
  const char *name, *stem;  // A: fig4_21E
};
constexpr Family kFamilies[] = {{"A", "fig4_21"}, {"B", "fig4_31"}, {"C", "fig4_32"}};
constexpr int kMostExperts = 3;

const Results* find(const Trained& trained, const Family& family, int E) {
  const auto found = trained.find(family.stem + std::to_string(E));
  return found == trained.end() ? nullptr : &found->second;
}

std::vector<double> losses_of(const Results& results) {
  return {results.reconstruction_losses.begin(), results.reconstruction_losses.end()};
}

// How far a cell's loss lies from the mean of its neighbours along both axes: what varies from cell to cell, with the
// slow course over the diagram taken out.
double local_deviation(const Results& results) {
  const std::vector<std::size_t> extents = Grid(results.sweep).extents();
  const std::size_t rows = extents[0], columns = extents[1];
  const auto at = [&](std::size_t r, std::size_t c) {
    return static_cast<double>(results.reconstruction_losses[r * columns + c]);
  };
  double squares = 0, cells = 0;
  for (std::size_t r = 1; r + 1 < rows; ++r) {
    for (std::size_t c = 1; c + 1 < columns; ++c) {
      const double off = at(r, c) - (at(r - 1, c) + at(r + 1, c) + at(r, c - 1) + at(r, c + 1)) / 4;
      if (!std::isfinite(off)) continue;
      squares += off * off;
      ++cells;
    }
  }
  return std::sqrt(squares / cells);
}

void add_losses(Report& report, const Family& family, int E, const Results& fewer, const Results& more) {
  std::vector<double> falls;
  const std::vector<double> before = losses_of(fewer), after = losses_of(more);
  for (std::size_t cell = 0; cell < std::min(before.size(), after.size()); ++cell) {
    if (std::isfinite(before[cell]) && std::isfinite(after[cell])) falls.push_back(before[cell] - after[cell]);
  }
  const double fall = mean(falls), error = standard_deviation(falls) / std::sqrt(static_cast<double>(falls.size()));
  report.add({fmt::format("{}: the mean reconstruction loss falls from {} to {} experts", family.name, E, E + 1),
              "falls", fmt::format("falls by {:.3g}", fall),
              fmt::format("{:.3g} - {:.3g}", fall - 1.96 * error, fall + 1.96 * error), 1,
              met_if(fall - 1.96 * error > 0), "paper, Figure 8; spread: 95 % interval over cells"});
  const double calm = local_deviation(fewer), rough = local_deviation(more);
  report.add({fmt::format("{}: the loss varies more between neighbouring cells with {} experts than with {}",
                          family.name, E + 1, E),
              "more", rough, nullptr, 1, met_if(rough > calm),
              fmt::format("{:.3g} with {}; root mean square of a cell's loss less the mean of its four neighbours'",
                          calm, E)});
}

// ---------------------------------------------------------------- colours

// One panel of Figure 4: the last feature's norm and score in one expert, [cell].
struct Panel {
  std::vector<double> norm, score;
};

Panel panel_of(const Results& results, int e) {
  const Shape& s = results.sweep.shape;
  Panel panel;
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (results.kept[cell] < 0) continue;
    const auto W = kept_model(results, cell).expert(e);
    panel.norm.push_back(feature_norm(W, s.n_features, s.n_hidden, s.n_features - 1));
    panel.score.push_back(interference(W, s.n_features, s.n_hidden, s.n_features - 1));
  }
  return panel;
}

// Largest of the values; 1 where they are all 0, as nothing is to be scaled then.
double scale(const std::vector<double>& values) {
  const double largest = values.empty() ? 0 : std::ranges::max(values);
  return largest > 0 ? largest : 1;
}

// Share of a panel's cells that look red: y x, the red of (yx + 1 - y, 1 - y, y (1 - x) + 1 - y) over its white, above
// a half.
double red(const Panel& panel, double norm_scale, double score_scale) {
  double count = 0;
  for (std::size_t i = 0; i < panel.norm.size(); ++i) {
    count += panel.norm[i] / norm_scale * (panel.score[i] / score_scale) > 0.5 ? 1 : 0;
  }
  return count / static_cast<double>(panel.norm.size());
}

void add_colours(Report& report, const Family& family, const Trained& trained) {
  std::vector<Panel> panels;
  std::vector<std::string> names;
  Panel all;
  for (int E = 1; E <= kMostExperts; ++E) {
    const Results* results = find(trained, family, E);
    for (int e = 0; results != nullptr && e < E; ++e) {
      panels.push_back(panel_of(*results, e));
      names.push_back(fmt::format("{}.{}/{}", family.name, e + 1, E));
      all.norm.insert(all.norm.end(), panels.back().norm.begin(), panels.back().norm.end());
      all.score.insert(all.score.end(), panels.back().score.begin(), panels.back().score.end());
    }
  }
  if (panels.size() < 2 || all.norm.empty()) return;
  std::string text;
  double most = 0;
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const double own = red(panels[i], scale(panels[i].norm), scale(panels[i].score));
    const double shared = red(panels[i], scale(all.norm), scale(all.score));
    most = std::max(most, std::abs(own - shared));
    text += fmt::format("{}{} {:.1f} -> {:.1f} %", text.empty() ? "" : ", ", names[i], 100 * own, 100 * shared);
  }
  report.add(
      {fmt::format("{}: one colour scale for all panels instead of one a panel: most that a panel's share of red "
                   "cells changes by (points)",
                   family.name),
       "one scale a panel", 100 * most, nullptr, 1, Ruling::differs,
       fmt::format("red cells by panel, own -> shared scale: {}. The published pictures scale every panel by its own "
                   "largest norm and score, so equal colours of two panels are not equal scores; the same models, "
                   "so there is no spread",
                   text)});
}

}  // namespace

Report analyse_fig8(const Trained& trained) {
  Report report;
  report.figure = "fig8";
  report.title = "Figure 8: losses; and Figure 4's colours";
  for (const Family& family : kFamilies) {
    for (int E = 1; E <= kMostExperts; ++E) {
      const Results *fewer = find(trained, family, E), *more = find(trained, family, E + 1);
      if (fewer == nullptr) continue;
      report.device = fewer->device;
      report.settings = settings_of(fewer->sweep);
      if (more != nullptr) add_losses(report, family, E, *fewer, *more);
    }
  }
  for (const Family& family : kFamilies) add_colours(report, family, trained);
  return report;
}

}  // namespace phasegrid::reproduce
