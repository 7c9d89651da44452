// Values of a TOML document, read with messages that name line, key and what is allowed.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

#include "number_rule.hpp"

namespace phasegrid {

// At most `most` bytes of a text, for a message.
std::string shortened(const std::string& text, std::size_t most = 60);
// Throws InputError: the sentence behind "fig4.toml:12: ", or behind "--set train.steps=0: " for what came from there.
[[noreturn]] void refuse(const toml::node& node, const std::string& sentence);
// What stands there, for a message.
std::string found(const toml::node& node);
// Where several values of a key belong, for who gave it a list and may not; else nothing.
std::string_view list_hint(const toml::node& node, std::string_view key);

using Keys = std::vector<std::string_view>;
void check_keys(const toml::table& table, std::string_view path, const Keys& allowed);
// The table at `key` of the document; an absent one is empty.
const toml::table& table_at(const toml::table& document, std::string_view key);
// A number that obeys the rule; `shown` is what a message calls it.
double number_from(const toml::node& node, const NumberRule& rule, const std::string& shown);
// Numbers of a list, or of a { start, stop, step }.
std::vector<double> read_list(const toml::array& list, const NumberRule& rule, const std::string& shown);
std::vector<double> read_range(const toml::table& table, const NumberRule& rule, const std::string& shown);
std::vector<double> read_list_or_range(const toml::node& node, const NumberRule& rule, const std::string& shown);

}  // namespace phasegrid
