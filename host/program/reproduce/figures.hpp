// The analysis of every figure and table: trained sweeps in, a report out. No training and no files here, so that tests
// can hand in models made by hand.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "phasegrid/phasegrid.hpp"
#include "report.hpp"

namespace phasegrid::reproduce {

// Results by the name of their sweep, e.g. "fig3_dense_m20".
using Trained = std::map<std::string, Results>;

// `published`: experiments/published.json.
Report analyse_fig1(const Trained& trained, const Json& published);
Report analyse_fig2(const Trained& trained, const Json& published);  // with fig1's models, to compare
Report analyse_fig3(const Trained& trained, const Json& published);
Report analyse_fig5(const Trained& trained, const Json& published);
Report analyse_fig6(const Trained& trained, const Json& published);
Report analyse_fig7(const Trained& trained, const Json& published);
Report analyse_table1(const Trained& trained, const Json& published);
// How abrupt the boundaries of Figure 4 are, dense against mixture of experts.
Report analyse_boundaries(const Trained& trained);
Report analyse_fig8(const Trained& trained);
// In how much of Figure 4 an expert hardly sees an input that is not all zero.
Report analyse_starved(const Trained& trained);
// Readings that no figure shows alone: routers that never learn, selection by a noisy batch.
Report analyse_findings(const Trained& trained);
Report analyse_a2();
Report analyse_a3(const Trained& trained);  // with routers of fig3 and table1

// The results of a name. Throws std::logic_error where it was not trained.
const Results& results_of(const Trained& trained, const std::string& name);

// What a figure's picture says of one expert: {"title", "norm", "polysemanticity", "gram"}.
Json expert_panel(const ModelView& model, int expert, const std::string& title);

// Steps, batch and the number of seeds of a sweep, for Report::settings.
Json settings_of(const Sweep& sweep);
int seeds_of(const Sweep& sweep);

}  // namespace phasegrid::reproduce
