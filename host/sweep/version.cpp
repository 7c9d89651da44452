#include "phasegrid/train.hpp"

namespace phasegrid {

std::string_view version() { return PHASEGRID_VERSION; }

}  // namespace phasegrid
