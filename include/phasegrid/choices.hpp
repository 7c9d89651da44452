// What a setting of words can say, where the kernels read it too.
#pragma once

#include <cstdint>

namespace phasegrid {

// How the learning rate changes over the steps, t = 0 .. steps - 1: not at all; falling linearly, 1 - t / steps; or
// along half a cosine, (1 + cos(pi t / steps)) / 2.
enum class Schedule : std::int32_t { constant, linear, cosine };

// How a router starts: Xavier normal; all zero; G[e][e] = 1 (experts beyond n start at zero); expert e on features
// e n/E .. (e + 1) n/E - 1 (E divides n); or each expert on n/E features of a random partition, drawn for every model.
// Paper section 5.
enum class RouterInit : std::int32_t { xavier, zero, diagonal, ordered_k_hot, random_k_hot };
enum class BiasInit : std::int32_t { xavier, zero };

}  // namespace phasegrid
