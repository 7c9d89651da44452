// Putting together results of one sweep that were trained in parts: shards, or runs that were interrupted.
#pragma once

#include <set>
#include <span>
#include <string>

#include "phasegrid/results.hpp"

namespace phasegrid {

// The results that hold every model which any part has, bit for bit what one run would have left. Parts may overlap
// where they agree. Where models are missing the results are not complete().
// Throws InputError where there is no part, where parts are of different sweeps, contradict each other, or are broken;
// the sentence calls them "part 1", "part 2" ..
Results merge_results(std::span<const Results> parts);

// The same, one part at a time, so that not all of them need be in memory.
class Merger {
 public:
  // `name` stands for the part in messages, e.g. its path. Where it throws, what was added before stays as it was.
  void add(const Results& part, const std::string& name);
  // What the parts so far make. Throws InputError where there is none.
  const Results& results() const;

 private:
  void check(const Results& part, const std::string& name) const;
  Results merged_;
  std::string first_name_;
  std::set<std::string> devices_;
};

// The results file of others, with the bytes that save_results() writes of the same results. A few megabytes of each file
// are in memory at a time, however large they are; only files that phasegrid did not write as they stand, compressed ones for
// one, are held whole. A model that no part has is missing in the file too.
// Throws InputError as Merger does, with the files' paths as names, and where a file cannot be read or written. Then
// nothing is at `out` that was not there before.
void merge_results_files(std::span<const std::string> parts, const std::string& out);

}  // namespace phasegrid
