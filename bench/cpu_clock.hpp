// The clock of this machine's cores, measured.
#pragma once

namespace phasegrid::bench {

// Cycles a nanosecond: the best of many chains of dependent additions, one cycle each.
double measure_gigahertz();

}  // namespace phasegrid::bench
