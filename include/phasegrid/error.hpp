// Errors that a person can mend.
#pragma once

#include <stdexcept>
#include <string>

namespace phasegrid {

// Bad input: what() is one sentence that names the thing and the allowed values. The command line exits with 2.
class InputError : public std::runtime_error {
 public:
  explicit InputError(const std::string& sentence) : std::runtime_error(sentence) {}
};

}  // namespace phasegrid
