#include "toml_limits.hpp"

#include <fmt/format.h>

#include <vector>

#include "text/utf8.hpp"

namespace phasegrid {
namespace {

constexpr std::size_t kDeepest = 64;

// Walks over a text as TOML is written, as far as that takes to tell strings and comments from the rest. On a text that
// is no TOML it may lose its way, but not before the place where toml++ stops reading.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // a byte order mark
  }

  std::optional<TomlProblem> find() {
    while (at_ < text_.size() && problem_.empty()) step();
    if (problem_.empty()) return std::nullopt;
    return TomlProblem{line_, problem_};
  }

 private:
  // Where a list or inline table began: what to go on with behind it.
  struct Outside {
    std::size_t depth, parts;
    bool in_table;
  };

  void step() {
    const char c = text_[at_];
    if (c == '#') return comment();
    if (c == '"' || c == '\'') return string_may_begin() ? string(c) : mistake("quotes must begin a name or a value");
    if (static_cast<unsigned char>(c) >= 0x80) {
      return mistake(utf8_size(text_.substr(at_)) == 0 ? "it is not UTF-8" : "a letter beyond ASCII must stand in quotes");
    }
    const bool line_begins = fresh_line_;
    if (c != ' ' && c != '\t') fresh_line_ = false;
    character(c);
    if (c == '\n' && outside_.empty()) begin_line();
    if (c == '[' || c == '{') open(c, line_begins);
    if (c == ']' || c == '}') close();
    if (c == '=') is_key_ = false;
    if (c == ',') parts_ = 1, is_key_ = in_table_;
    if (c == '.' && is_key_) ++parts_;
    if (depth_ + parts_ > kDeepest) {
      problem_ = fmt::format("keys, tables and lists may lie {} deep within each other, and no deeper", kDeepest);
    }
  }

  void mistake(std::string problem) { problem_ = std::move(problem); }

  // toml++ reads a quote within a bare value (0.5"..") as a part of that value.
  bool string_may_begin() const {
    if (at_ == 0) return true;
    const char before = text_[at_ - 1];
    return std::string_view(" \t\r\n=,[{").find(before) != std::string_view::npos || (before == '.' && is_key_);
  }

  void begin_line() {
    if (in_header_) depth_ = parts_;  // of all lines to the next header
    in_header_ = false;
    fresh_line_ = is_key_ = true;
    parts_ = 1;
  }

  void open(char c, bool line_begins) {
    if (in_header_ && text_[at_ - 2] == '[') return;  // [[name]]
    if (c == '[' && line_begins && outside_.empty()) {
      in_header_ = true;
      depth_ = 0;
      expect_name();
      return;
    }
    outside_.push_back({depth_, parts_, in_table_});
    depth_ += parts_;
    parts_ = 1;
    is_key_ = in_table_ = c == '{';
  }

  // Behind the [ or [[ of a header. (A ] or a second [ too early is an error that toml++ names itself.)
  void expect_name() {
    const bool twice = at_ < text_.size() && text_[at_] == '[';
    const std::size_t first = at_ + (twice ? 1 : 0);
    const std::size_t name = text_.find_first_not_of(" \t", first);
    if (name == std::string_view::npos) return;  // nor the end
    const char c = text_[name];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const auto byte = static_cast<unsigned char>(c);
    const bool told_elsewhere = byte >= 0x80 || (byte < ' ' && c != '\n' && c != '\r');  // with a sentence of its own
    if (letter || told_elsewhere || std::string_view("-_\"']").find(c) != std::string_view::npos) return;
    if (c == '[' && !twice) return;  // [ [, which toml++ names itself
    problem_ = "a table's header, [name], must begin with a name";
  }

  void close() {
    if (outside_.empty()) return;  // the end of a header
    depth_ = outside_.back().depth;
    parts_ = outside_.back().parts;
    in_table_ = outside_.back().in_table;
    outside_.pop_back();
    is_key_ = false;
  }

  // Takes one character of the text; a line break counts.
  void character(char c) {
    const bool carriage_return = c == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && !carriage_return) || c == 0x7f) {
      problem_ = fmt::format("the control character with the code {} is not allowed", static_cast<int>(c));
      return;
    }
    const std::size_t size = utf8_size(text_.substr(at_));
    if (size == 0) problem_ = "it is not UTF-8";
    if (c == '\n') ++line_;
    at_ += size;
  }

  void comment() {
    while (at_ < text_.size() && text_[at_] != '\n' && problem_.empty()) character(text_[at_]);
  }

  void string(char quote) {
    fresh_line_ = false;
    const std::string three(3, quote);
    const bool long_one = text_.substr(at_).starts_with(three);
    at_ += long_one ? 3 : 1;
    while (at_ < text_.size() && problem_.empty()) {
      if (!long_one && text_[at_] == '\n') return;  // it has no end, says toml++
      if (long_one ? text_.substr(at_).starts_with(three) : text_[at_] == quote) {
        at_ += long_one ? 3 : 1;
        for (int more = 0; long_one && more < 2 && at_ < text_.size() && text_[at_] == quote; ++more) ++at_;
        return;
      }
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) character(text_[at_]);
      if (problem_.empty()) character(text_[at_]);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0, line_ = 1;
  std::string problem_;
  std::vector<Outside> outside_;
  std::size_t depth_ = 0, parts_ = 1;  // of what lies around a key; of the key so far
  bool is_key_ = true, in_table_ = true, in_header_ = false, fresh_line_ = true;
};

}  // namespace

std::optional<TomlProblem> find_toml_problem(std::string_view text) { return Walk(text).find(); }

}  // namespace phasegrid
