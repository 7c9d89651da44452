#include "phasegrid/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>

#include "phasegrid/error.hpp"
#include "plan.hpp"
#include "sweep/shapes.hpp"

namespace phasegrid {
namespace {

constexpr int kMostShards = 1'000'000;

// What stands in a message: one line, and not all of a long text.
std::string shown(std::string_view text) {
  std::string line(text.substr(0, 40));
  std::ranges::replace_if(
      line, [](char c) { return c < ' ' || c > '~'; }, '?');
  return line;
}

struct Piece {
  double work;
  std::uint64_t order;
  std::size_t sweep, cell;
};

// The numbers 0, 1, 2 .. in an order without a pattern (the finaliser of SplitMix64, a bijection). What a model costs
// also depends on things that `work` leaves out, such as how many features are present; dealt out in grid order, one
// shard would get a whole column of the grid.
std::uint64_t scattered(std::uint64_t i) {
  i += 0x9e3779b97f4a7c15u;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return i ^ (i >> 31);
}

}  // namespace

void Shard::check() const {
  if (count < 1 || count > kMostShards) {
    throw InputError(
        fmt::format("shard: the number of shards must be a whole number from 1 to {}, not {}", kMostShards, count));
  }
  if (index < 1 || index > count) {
    throw InputError(fmt::format("shard: of {} shards, the first is 1 and the last is {}; there is no shard {}", count,
                                 count, index));
  }
}

Shard parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  Shard shard;
  auto read = [](std::string_view digits, int& into) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), into);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (slash == std::string_view::npos || !read(text.substr(0, slash), shard.index) ||
      !read(text.substr(slash + 1), shard.count)) {
    throw InputError(fmt::format(
        "shard must be I/N with whole numbers, from 1/N for the first of N shards to N/N for the last, not '{}'",
        shown(text)));
  }
  shard.check();
  return shard;
}

std::vector<std::vector<bool>> shard_cells(std::span<const Sweep> sweeps, const Shard& shard) {
  for (const Sweep& sweep : sweeps) sweep.check();
  return shard_cells(sweeps, plan_sweeps(sweeps), shard);
}

std::vector<std::vector<bool>> shard_cells(std::span<const Sweep> sweeps, std::span<const PlannedSweep> parts,
                                           const Shard& shard) {
  shard.check();
  std::vector<std::vector<bool>> mine;
  std::vector<std::size_t> before;  // cells of the sweeps before
  std::size_t all = 0;
  for (const Sweep& sweep : sweeps) {
    const std::size_t cells = count_cells(sweep);
    mine.emplace_back(cells, shard.count == 1);
    before.push_back(all);
    all += cells;
  }
  std::vector<Piece> pieces;
  for (const PlannedSweep& part : parts) {
    for (std::size_t c = 0; shard.count > 1 && c < part.grid.cells(); ++c) {
      const std::size_t cell = part.cell_in_sweep(c);
      pieces.push_back({part.restarts * part.work(c), scattered(before[part.sweep] + cell), part.sweep, cell});
    }
  }
  // The heaviest first, each to the shard that has least so far.
  std::ranges::sort(
      pieces, [](const Piece& a, const Piece& b) { return a.work != b.work ? a.work > b.work : a.order < b.order; });
  using Load = std::pair<double, int>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> loads;
  for (int i = 1; i <= shard.count; ++i) loads.push({0, i});
  for (const Piece& piece : pieces) {
    auto [load, index] = loads.top();
    loads.pop();
    loads.push({load + piece.work, index});
    if (index == shard.index) mine[piece.sweep][piece.cell] = true;
  }
  return mine;
}

std::vector<double> cell_work(const Sweep& sweep) {
  std::vector<double> work(count_cells(sweep));
  for (const PlannedSweep& part : plan_sweeps(std::span(&sweep, 1))) {
    for (std::size_t c = 0; c < part.grid.cells(); ++c) work[part.cell_in_sweep(c)] = part.restarts * part.work(c);
  }
  return work;
}

}  // namespace phasegrid
