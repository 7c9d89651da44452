// Which settings go together, beyond what each may be by itself.
#pragma once

#include "phasegrid/sweep.hpp"

namespace phasegrid {

// Throws InputError, beginning with a key, for settings that exclude each other or that another one would leave without
// effect.
void check_combinations(const Sweep& sweep);

}  // namespace phasegrid
