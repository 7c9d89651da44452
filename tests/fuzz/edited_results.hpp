// Results files with some of their numbers, shapes and letters changed, in a zip that is sound: changing the bytes of a
// file at random would get no further than its check sums.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <vector>

#include "sweep/config_json.hpp"
#include "fuzz.hpp"
#include "results/npz.hpp"
#include "phasegrid/results_file.hpp"

namespace phasegrid::fuzz {

// A sweep of eight cells, of whose models some are trained, some diverged and some are not trained; with a shard, 0 or
// 1, every other cell.
inline Results trained(bool dense, int shard = -1) {
  Sweep sweep;
  sweep.name = "fuzz";
  sweep.restarts = 3;
  sweep.shape = {2, 1, dense ? 1 : 2, 1};
  sweep.train.steps = 9;
  sweep.train.snapshots = {0, 4, 9};
  sweep.axes = {{AxisName::sparsity, {0.1, 0.9}}, {AxisName::last_importance, {0.5, 2}}, {AxisName::seed, {0, 1}}};
  Results results(sweep);
  results.device = "cpu";
  const float share = dense ? 1.0f : 0.5f, nan = std::numeric_limits<float>::quiet_NaN();
  const auto size = static_cast<std::size_t>(sweep.shape.parameter_count());
  std::vector<float> model(size), shots(3 * size);
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    if (shard >= 0 && static_cast<int>(cell % 2) != shard) continue;
    for (int restart = 0; restart < sweep.restarts; ++restart) {
      const std::size_t kind = (cell * 3 + static_cast<std::size_t>(restart)) % 5;
      if (kind == 4) continue;
      const std::int32_t status = kind == 3 ? 6 : kTrained;
      const float loss = status == kTrained ? 0.25f * static_cast<float>(1 + kind) : nan;
      std::ranges::fill(model, loss);
      std::ranges::fill(shots, 2 * loss);
      std::vector<Losses> losses(3, {loss, loss * share});
      if (status != kTrained) losses[0] = losses[1] = {1.0f, share};
      results.take(cell, restart, {loss, loss * share}, status, model, losses, shots);
    }
  }
  return results;
}

// The arrays of a file of these results.
inline NpzArrays arrays_of(const Results& results) {
  const std::string path = std::filesystem::temp_directory_path() / ("phasegrid-fuzz-" + std::to_string(getpid()));
  save_results(results, path);
  const NpzFile saved(path);
  std::filesystem::remove(path);
  NpzArrays arrays;
  for (const char* key :
       {"sparsity_values", "importance_values", "seed_values", "final_losses", "reconstruction_losses", "expert_weights",
        "router_weights", "biases", "all_losses", "all_reconstruction_losses", "status", "kept", "snapshot_steps",
        "snapshot_losses", "snapshot_reconstruction_losses", "snapshot_expert_weights", "snapshot_router_weights",
        "snapshot_biases", "config"}) {
    arrays.emplace_back(key, saved.array(key));
  }
  return arrays;
}

// Seven bytes an edit: which array, how, where, and with what.
inline std::vector<std::byte> edited(NpzArrays arrays, const std::uint8_t* data, std::size_t size) {
  static const float kNumbers[] = {NAN, INFINITY, -INFINITY, -1e30f, 1e30f, -0.0f, 0.0f, 0.25f, 0.5f, 1e-45f};
  for (; size >= 7; data += 7, size -= 7) {
    std::string& key = arrays[data[0] % arrays.size()].first;
    NpyArray& array = arrays[data[0] % arrays.size()].second;  // (clang 14 captures no structured binding)
    const std::size_t at = static_cast<std::size_t>(data[2] | data[3] << 8), words = array.bytes.size() / 4;
    auto put = [&](const auto& value) {
      if (words > 0) std::memcpy(array.bytes.data() + 4 * (at % words), &value, 4);
    };
    std::uint32_t raw = 0;
    std::memcpy(&raw, data + 3, 4);
    switch (data[1] % 8) {
      case 0: put(raw); break;
      case 1: put(kNumbers[data[4] % std::size(kNumbers)]); break;
      case 2: put(static_cast<std::int32_t>(static_cast<std::int8_t>(data[4]))); break;
      case 3: put(static_cast<std::uint32_t>(data[4] & 0x7f)); break;  // a letter of the config
      case 4:
        if (!array.shape.empty()) array.shape[at % array.shape.size()] = data[4];
        break;
      case 5: array.bytes.resize(at % (array.bytes.size() + 8)); break;
      case 6: array.type = data[4] % 2 == 0 ? "<f8" : "<i4"; break;
      default: key += static_cast<char>('a' + data[4] % 26); break;
    }
  }
  return npz_bytes(arrays);
}

}  // namespace phasegrid::fuzz
