// Sweep files (TOML) and their --set changes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

struct SweepFileOptions {
  // Changes applied in order, each "path=toml-value", e.g. "train.steps=100", "axes.sparsity=[0.1,0.5]".
  std::vector<std::string> set;
  // A [presets.NAME] table of the file, laid over the rest of it before `set`. "paper" is the file as it stands.
  std::string preset = "paper";
  // A [variants.NAME] table, laid over file and preset; "" is all of them.
  std::string variant = {};
};

// Reads and checks the sweeps of a file: one, or where it has [variants.NAME] tables one for each, named NAME_OF_FILE
// and "_" and NAME, in alphabetical order. Throws InputError naming file, key and what is allowed: no file, broken
// TOML, unknown key, preset or variant, wrong type, value out of range.
std::vector<Sweep> read_sweeps(const std::string& path, const SweepFileOptions& options = {});
// The same where it is one sweep: throws where there are several variants and `options` names none.
Sweep read_sweep(const std::string& path, const SweepFileOptions& options = {});
// The same from text; `origin` stands for the file's name in messages and (its stem) for a missing `name`.
std::vector<Sweep> parse_sweeps(std::string_view text, const std::string& origin, const SweepFileOptions& options = {});
Sweep parse_sweep(std::string_view text, const std::string& origin, const SweepFileOptions& options = {});

}  // namespace phasegrid
