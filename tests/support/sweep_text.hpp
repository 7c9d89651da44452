// Sweep files as text, and what is said of bad ones; shared by the tests of sweep files.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "phasegrid/error.hpp"
#include "phasegrid/sweep_file.hpp"

namespace phasegrid::testing {

inline const std::string kOrigin = "some/folder/toy.toml";

// A usable file whose lines tests replace or add to.
inline const std::string kFile = R"(name = "toy"
restarts = 2
seed = 7
[model]
n_features = 3
n_hidden = 2
n_experts = 2
top_k = 1
[data]
sparsity = 0.5
)";

// A file that holds one key of its own, with the keys that a file needs where they do not collide: the first line, or
// behind n_features and, where it is another, sparsity.
inline std::string file_with(const std::string& key, const std::string& value) {
  const std::size_t dot = key.find('.');
  const std::string features = key == "model.n_features" ? "\n" : "model.n_features = 2\n";
  std::string text = dot == std::string::npos ? key + " = " + value + "\n" + features : features;
  if (key != "data.sparsity" && key != "axes.sparsity") text += "data.sparsity = 0.5\n";
  if (dot != std::string::npos) text += key + " = " + value + "\n";
  return text;
}

inline Sweep parse(const std::string& text, const SweepFileOptions& options = {}) {
  return parse_sweep(text, kOrigin, options);
}

inline std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

inline std::string refusal(const std::string& text, const SweepFileOptions& options = {}) {
  return refusal([&] { parse(text, options); });
}

inline std::string set_refusal(const std::string& change, const std::string& text = kFile) {
  return refusal(text, {{change}, "paper"});
}

inline void expect_sentence(const std::string& message, const std::vector<std::string>& parts) {
  ASSERT_NE(message, "");
  EXPECT_EQ(message.find_first_of("\n\r"), std::string::npos) << message;
  EXPECT_LT(message.size(), 400u) << message;
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
  }
}

}  // namespace phasegrid::testing
