// What results files say of the program that made them, so that none is read wrongly or mixed with others.
#pragma once

namespace phasegrid {

// How results files are written. Raised when a file holds what the version before would not find or would misread: an
// array of another name or shape, or a setting that it does not know. Files of every format up to this one are read.
constexpr int kFormat = 2;

// Which numbers a sweep gives. Raised when any sweep that could be trained before gives other bits: another order of a
// sum, other random numbers, another default. Results of other bits are read, but never taken into a training or merged.
// 2: since 0.2.0, of dense models whose tile of 128 samples takes more than 162 KiB (block/layout.hpp, dense_tile).
constexpr int kBits = 2;

}  // namespace phasegrid
