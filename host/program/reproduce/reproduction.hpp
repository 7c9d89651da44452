// REPRODUCTION.md: every report of a folder, with its picture.
#pragma once

#include <string>

namespace phasegrid::reproduce {

// Reads FOLDER/FIGURE.json of every figure that is there and writes FOLDER/REPRODUCTION.md.
void write_reproduction(const std::string& folder, const std::string& command);

}  // namespace phasegrid::reproduce
