// phasegrid selftest: does every way of training on this machine give the same bits, and how fast is each?
#include <fmt/format.h>

#include <chrono>

#include "commands.hpp"
#include "program/io/output.hpp"
#include "selftest.hpp"

namespace phasegrid {
namespace {

struct Way {
  std::string name;
  DeviceChoice device;
  InstructionSet set;
};

TrainOptions options_for(const Way& way) {
  TrainOptions options;
  options.device = way.device;
  options.instruction_set = way.set;
  return options;
}

// The reference first: the fastest instruction set of this CPU.
std::vector<Way> ways_of(DeviceChoice device) {
  std::vector<Way> ways;
  for (const InstructionSet set : {InstructionSet::avx512, InstructionSet::avx2, InstructionSet::baseline}) {
    if (is_supported(set)) ways.push_back({fmt::format("cpu {}", to_string(set)), DeviceChoice::cpu, set});
  }
  if (device == DeviceChoice::cuda || (device == DeviceChoice::automatic && has_usable_gpu())) {
    ways.push_back({"cuda", DeviceChoice::cuda, InstructionSet::automatic});
    train(std::span<const Sweep>(), options_for(ways.back()));  // says why, where there is none
  }
  return ways;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// ns per sample of one shape: trained with more and more models, until it takes half a second.
double rate(const Way& way, const Shape& shape) {
  Sweep sweep;
  sweep.shape = shape;
  sweep.data.sparsity = 0.7;
  sweep.train.steps = 200;
  sweep.train.keep = Keep::last_batch;
  for (sweep.restarts = 2;; sweep.restarts *= 4) {
    const auto start = std::chrono::steady_clock::now();
    train(sweep, options_for(way));
    const double seconds = seconds_since(start);
    if (seconds > 0.5 || sweep.restarts > 1'000'000) {
      return 1e9 * seconds / (static_cast<double>(sweep.restarts) * sweep.train.steps * sweep.train.batch);
    }
  }
}

}  // namespace

int command_selftest(DeviceChoice device) {
  for (const std::string& line : describe_devices()) say(stdout, "{}\n", line);
  const std::vector<Sweep> sweeps = selftest_sweeps();
  std::vector<Results> reference;
  std::string report;
  int different = 0;
  for (const Way& way : ways_of(device)) {
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Results> results = train(sweeps, options_for(way));
    const double seconds = seconds_since(start);
    int differ = 0;
    const auto expect_same = [&](const Results& a, const Results& b) {
      const std::string difference = first_difference_in_bits(a, b);
      if (!difference.empty() && differ++ < 5) say(stdout, "{}: {}: {}\n", way.name, a.sweep.name, difference);
    };
    for (std::size_t s = 0; s < reference.size(); ++s) expect_same(results[s], reference[s]);
    for (std::size_t s = 0; s < sweeps.size(); ++s) {
      if (!keeps_moments(sweeps[s].train.keep)) continue;
      expect_same(trained_in_two_parts(sweeps[s], options_for(way)), results[s]);
    }
    const std::string device_name = results.front().device;
    const std::string verdict = differ > 0          ? fmt::format("{} trainings with OTHER BITS", differ)
                                : reference.empty() ? "the reference"
                                                    : "same bits";
    const double tiny = rate(way, {2, 1, 1, 1}), block = rate(way, {20, 6, 1, 1});
    say(stdout, "{}: {} trainings in {:.1f} s, {}; {:.3g} ns per sample of n = 2, m = 1 and {:.3g} of n = 20, m = 6\n",
        device_name, sweeps.size(), seconds, verdict, tiny, block);
    flush_text(stdout);
    report += fmt::format("; {}: {}, {:.3g} and {:.3g} ns", device_name, verdict, tiny, block);
    different += differ;
    if (reference.empty()) reference = results;
  }
  say(stdout, "phasegrid {} selftest {}{}\n", version(), different == 0 ? "passed" : "FAILED", report);
  return different == 0 ? 0 : 1;
}

}  // namespace phasegrid
