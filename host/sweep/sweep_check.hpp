// Which settings go together, beyond what each may be by itself.
#pragma once

#include "phasegrid/sweep.hpp"

namespace phasegrid {

const Axis* find_axis(const Sweep& sweep, AxisName name);  // null where it is none

// Whether exactly so many features are active, which takes the place of a sparsity; and whether [data] gives a sparsity.
bool has_exact_count(const Sweep& sweep);
bool gives_sparsity(const DataSettings& data);

// Throws InputError, beginning with a key, for settings that exclude each other or that another one would leave without
// effect.
void check_combinations(const Sweep& sweep);

}  // namespace phasegrid
