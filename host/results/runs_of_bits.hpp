// What goes over every number of a results file, as fast as memory is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace phasegrid {

bool all_finite(std::span<const float> values);
bool all_nan(std::span<const float> values);

// The check sum of a zip file's entry, of the bytes so far; 0 of none.
std::uint32_t crc32_of(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace phasegrid
