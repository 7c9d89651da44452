// What the program says, on stdout and stderr. A message that cannot be written (a full disk, a pipe that nobody reads,
// a terminal that is gone) ends nothing: it is remembered, and the exit status tells at the end.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

namespace phasegrid {

// The exit status of a command that did all its work, but could not say so.
constexpr int kOutputLost = 3;

// Call first of all. A pipe that nobody reads becomes an error of the write, not a signal to die of, and a stream that
// is closed stays so: no file that is opened later takes its number, and so no message lands in a results file.
void prepare_output();

void write_text(std::FILE* stream, std::string_view text);
template <class... Values>
void say(std::FILE* stream, fmt::format_string<Values...> format, Values&&... values) {
  write_text(stream, fmt::format(format, std::forward<Values>(values)...));
}

void flush_text(std::FILE* stream);

// Remembers a message that somebody else, such as a program that this one started, could not write.
void note_lost_output();

// The status to exit with: `status`, but kOutputLost where that is 0 and a message was lost. Says so where it can.
int finish_output(int status);

}  // namespace phasegrid
