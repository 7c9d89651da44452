// The two errors of this library: what a caller can mend, and a device that failed.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace phasegrid {

// A text as an error shows it, whatever file names and keys went into it: one line of UTF-8 without control characters.
// A text of more than 280 bytes loses its middle, for its beginning names the thing and its end says what is allowed
// ("phasegrid explore: " in front of it makes no more than 300).
std::string error_sentence(std::string_view text);

// Bad input: what() is one sentence, as error_sentence() leaves it, that names the thing and the allowed values. The
// command line exits with 2.
class InputError : public std::runtime_error {
 public:
  explicit InputError(std::string_view sentence) : std::runtime_error(error_sentence(sentence)) {}
};

// A device failed while it worked: what() names the call and the device's own error. The command line exits with 1; what
// was finished before is in the checkpoint.
class DeviceError : public std::runtime_error {
 public:
  explicit DeviceError(std::string_view sentence) : std::runtime_error(error_sentence(sentence)) {}
};

}  // namespace phasegrid
