// Settings of a TOML document, be it a sweep file's or a config's.
#pragma once

#include <toml++/toml.h>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

// Takes every setting that the document gives. Throws InputError where one is none, or of no form or range that is
// allowed; what settings must be together is Sweep::check's.
void read_document(const toml::table& document, Sweep& sweep);

}  // namespace phasegrid
