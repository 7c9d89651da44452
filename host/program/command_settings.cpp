// phasegrid settings: everything that can be said of a sweep.
#include "commands.hpp"
#include "program/io/output.hpp"
#include "sweep/settings.hpp"

namespace phasegrid {

int command_settings(const SettingsArguments& arguments) {
  write_text(stdout, arguments.json ? settings_json() + "\n" : arguments.markdown ? settings_markdown() : settings_text());
  return 0;
}

}  // namespace phasegrid
