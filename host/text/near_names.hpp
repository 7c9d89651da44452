// What somebody who wrote a name that there is not may have meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace phasegrid {

// The name of `names` that is nearest to a word, or "" where none is near: one that the field also calls by that word
// ("lr" for "learning_rate"), one that it begins, or one that few slips of the pen make it. Of a name with dots,
// "train.learning_rate", the last part is compared.
std::string nearest_name(std::string_view word, std::span<const std::string_view> names);

// "; did you mean NAME", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> names);

}  // namespace phasegrid
