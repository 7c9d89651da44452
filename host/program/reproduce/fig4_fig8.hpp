// Figures 4 and 8: pictures of the eight phase diagrams, and the comparison with the authors' files.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace phasegrid::reproduce {

// The comparison of our files with the authors' in `reference` (of the same name, or as theirs, without fig4_), as far
// as they are there; preset paper only, for preset
// quick keeps the best of fewer restarts and its losses lie higher.
Report compare_fig4(const std::vector<std::string>& files, const std::string& reference, const std::string& preset);

// Draws fig4.png and fig8.png into `out`, and beside the authors' where `reference` has them; returns an exit status.
int draw_fig4(const std::vector<std::string>& files, const std::string& reference, const std::string& out,
              const std::string& score);

}  // namespace phasegrid::reproduce
