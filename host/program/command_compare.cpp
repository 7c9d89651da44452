#include "commands.hpp"
#include "measure/compare.hpp"
#include "program/io/output.hpp"

namespace phasegrid {

int command_compare(const CompareArguments& arguments) {
  const Comparison comparison = compare(arguments.ours, arguments.reference);
  write_text(stdout, arguments.markdown ? to_markdown(comparison) : to_text(comparison));
  return comparison.within_tolerance ? 0 : 1;
}

}  // namespace phasegrid
