// The defaults of others' notebooks, by name: `convention = "anthropic"` at the top of a sweep file, or Python's keyword.
// What the file says itself goes before them.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace phasegrid {

struct Convention {
  std::string_view name;
  std::string_view about;  // one line: whose, and where they are from
  std::string_view toml;   // as a sweep file says them
};
std::span<const Convention> conventions();
// Null where there is none of that name.
const Convention* find_convention(std::string_view name);
std::string convention_names();  // "anthropic", "arena" ..

}  // namespace phasegrid
