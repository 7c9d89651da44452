// Shares of sweeps, for a run that is spread over the tasks of a job array or over machines.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "phasegrid/sweep.hpp"

namespace phasegrid {

// Share `index` of `count`. {1, 1} is everything.
struct Shard {
  int index = 1;  // 1 .. count
  int count = 1;  // 1 .. 1,000,000

  // Throws InputError naming the allowed values.
  void check() const;

  friend bool operator==(const Shard&, const Shard&) = default;
};

// "3/8" is {3, 8}. Throws InputError where the text is anything else.
Shard parse_shard(std::string_view text);

// Which cells belong to a shard: [sweep][cell]. Every cell belongs, with all its restarts, to exactly one of the
// `count` shards, and shards have nearly equal work, over all sweeps together. It follows from sweeps and shard alone,
// so tasks that name the same sweeps in the same order agree on it without talking to each other.
// Throws InputError where a sweep or the shard cannot be used.
std::vector<std::vector<bool>> shard_cells(std::span<const Sweep> sweeps, const Shard& shard);

// About what every cell of a checked sweep costs, with all its restarts: in tenths of a nanosecond on one core; 0 where
// there is no model. Shards are of equal work by it.
std::vector<double> cell_work(const Sweep& sweep);

}  // namespace phasegrid
