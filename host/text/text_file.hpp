// Text files, read whole and with a limit.
#pragma once

#include <string>

namespace phasegrid {

// The text of a sweep file, of at most 16 MiB; a pipe may stand for it. Throws InputError, naming the path, where there
// is none, it cannot be read or is anything else, such as a folder or a device.
std::string sweep_file_text(const std::string& path);

}  // namespace phasegrid
