// What a TOML text may not hold, looked at before the library toml++ reads it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace phasegrid {

struct TomlProblem {
  std::size_t line = 1;
  std::string what;  // e.g. "a key has more than 64 parts"
};

// The first thing in a text that toml++ would be led astray by: tables, lists and parts of keys within each other more
// than 64 deep, over which it recurses until the stack is full; and what TOML does not allow but toml++ (3.3) checks by
// assertion alone: bytes that are not UTF-8, control characters, letters beyond ASCII outside strings and comments, and
// headers that begin with no name.
std::optional<TomlProblem> find_toml_problem(std::string_view text);

}  // namespace phasegrid
