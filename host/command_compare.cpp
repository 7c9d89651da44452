#include <fmt/format.h>

#include "commands.hpp"
#include "compare.hpp"

namespace phasegrid {

int command_compare(const CompareArguments& arguments) {
  const Comparison comparison = compare(arguments.ours, arguments.reference);
  if (arguments.markdown) {
    fmt::print("{}", to_markdown(comparison));
  } else {
    print(comparison, stdout);
  }
  return comparison.within_tolerance ? 0 : 1;
}

}  // namespace phasegrid
