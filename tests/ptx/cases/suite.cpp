// ptx_suite quick|all: trains by the kernels' PTX, and compares with the CPU kernels bit by bit.
// ptx_suite counts FILE: executed instructions of a sample, by kind, as a table and as JSON.
// ptx_mutants mutations [MOST]: how many of changed kernels are noticed, at most so many fmas and shuffles of each.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cases.hpp"

namespace ptx {
namespace {
using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string shape_text(const phasegrid::Shape& s) {
  return fmt::format("n {} m {} E {} k {}", s.n_features, s.n_hidden, s.n_experts, s.top_k);
}

int compare_all(bool every) {
  long values = 0;
  int failed = 0, runs = 0;
  const auto start = Clock::now();
  for (const auto& [name, kernel] : kernels()) {
    const auto began = Clock::now();
    const bool large = name == "block_large";
    for (const Problem& problem : name == "block"                      ? block_problems(every)
                                  : large || name == "block_general" ? family_problems(every, large)
                                                                     : tiny_problems(name)) {
      const Trial trial(problem);
      std::vector<Order> orders = {Order::random};
      if (every) orders.insert(orders.end(), {Order::forward, Order::backward});
      for (const Order order : orders) {
        const Verdict verdict = trial.run(order, 3);
        ++runs;
        values += verdict.values;
        bool wrong = !verdict.wrong.empty();
        if (problem.title == "diverging" && verdict.diverged == 0) {
          fmt::print("{}: no model diverged, so this case tests nothing\n", name);
          wrong = true;
        }
        if (!wrong) continue;
        ++failed;
        fmt::print("{}, {}, {}, order {}:\n", name, shape_text(problem.shape), problem.title, static_cast<int>(order));
        for (const std::string& text : verdict.wrong) fmt::print("  {}\n", text);
      }
    }
    fmt::print("{} {:.1f} s\n", name, seconds_since(began));
    std::fflush(stdout);
  }
  fmt::print("{} runs of {} kernels, {} values compared, {} runs failed, {:.0f} s\n", runs, kernels().size(), values,
             failed, seconds_since(start));
  return failed != 0;
}

// By the difference of two trainings, so that what is done once a model is not counted.
nlohmann::ordered_json instructions_per_sample(const phasegrid::Shape& shape, bool block) {
  const Trial few(paper_problem(shape, block, 3)), more(paper_problem(shape, block, 5));
  const Kernel& kernel = *kernels().at(kernel_name(few.problem()));
  const Verdict a = few.run(Order::forward), b = more.run(Order::forward);
  const double samples = more.samples_of_steps() - few.samples_of_steps();
  nlohmann::ordered_json by_kind;
  double total = 0;
  for (size_t i = 0; i < kernel.kinds.size(); ++i) {
    const double count = static_cast<double>(b.outcome.executed[i] - a.outcome.executed[i]) / samples;
    by_kind[kernel.kinds[i]] = std::round(count * 100) / 100;
    total += count;
  }
  if (!a.wrong.empty() || !b.wrong.empty())
    fmt::print("{} is wrong: {}\n", kernel.name, (a.wrong.empty() ? b : a).wrong[0]);
  return {{"n", shape.n_features},
          {"m", shape.n_hidden},
          {"experts", shape.n_experts},
          {"k", shape.top_k},
          {"mapping", block ? "block" : "tiny"},
          {"total", std::round(total * 100) / 100},
          {"by_kind", by_kind}};
}

int count(const std::string& path) {
  nlohmann::ordered_json all;
  all["what"] = "PTX instructions that the threads execute per sample of a training step, its update included";
  all["batch"] = 512;
  all["shapes"] = nlohmann::ordered_json::array();
  const auto add = [&](const phasegrid::Shape& shape, bool block) {
    if (!kernels().contains(kernel_name({"", shape, {}, 1, {}, block}))) {
      fmt::print("{} is left out: its kernel is not in this program (make ptx-counts builds them all)\n",
                 shape_text(shape));
      return;
    }
    all["shapes"].push_back(instructions_per_sample(shape, block));
    const auto& last = all["shapes"].back();
    fmt::print("{:5} {:22} {:9.1f}:", block ? "block" : "tiny", shape_text(shape), last["total"].get<double>());
    for (const auto& [kind, number] : last["by_kind"].items()) {
      if (number.get<double>() >= 0.05) fmt::print(" {} {:.1f}", kind, number.get<double>());
    }
    fmt::print("\n");
    std::fflush(stdout);
  };
  // Figure 4, then Figure 3's dense model and mixtures, and Table 1's.
  for (const phasegrid::Shape s : {phasegrid::Shape{2, 1, 1, 1},
                                   {2, 1, 2, 1},
                                   {3, 1, 1, 1},
                                   {3, 1, 2, 1},
                                   {3, 1, 3, 1},
                                   {3, 2, 1, 1},
                                   {3, 2, 2, 1},
                                   {3, 2, 3, 1}}) {
    add(s, false);
  }
  for (const phasegrid::Shape s :
       {phasegrid::Shape{100, 20, 1, 1}, {20, 6, 1, 1}, {20, 5, 4, 1}, {20, 5, 20, 5}, {100, 5, 4, 1}}) {
    add(s, true);
  }
  std::ofstream(path) << all.dump(2) << "\n";
  return 0;
}

bool noticed(const std::vector<Trial>& trials, std::string& how) {
  for (const Trial& trial : trials) {
    for (const Order order : {Order::forward, Order::backward, Order::random}) {
      const Verdict verdict = trial.run(order, 3, 20'000'000);
      if (verdict.wrong.empty()) continue;
      how = verdict.outcome.reports.empty() ? "bits" : to_string(verdict.outcome.reports[0].fault);
      return true;
    }
  }
  return false;
}

[[maybe_unused]] int mutate(size_t most) {
  for (const auto& [name, kernel] : kernels()) {
    std::vector<Trial> trials;
    for (const Problem& p : mutation_problems(name)) trials.emplace_back(p);
    std::string how;
    mutation = {};
    int last = 0;
    for (const Site& s : kernel->sites) last = std::max(last, s.line);
    mutation.reached.assign(static_cast<size_t>(last) + 1, 0);
    const bool wrong = noticed(trials, how);
    const std::vector<char> reached = std::move(mutation.reached);
    mutation = {};
    if (wrong) {
      fmt::print("{}: wrong before any mutation ({})\n", name, how);
      return 1;
    }
    for (const char* const kind : {"barrier", "shuffle", "fma"}) {
      std::vector<int> lines;
      size_t all = 0;
      for (const Site& s : kernel->sites) {
        if (std::string(s.kind) != kind) continue;
        ++all;
        if (reached[static_cast<size_t>(s.line)]) lines.push_back(s.line);
      }
      const size_t stride = std::string(kind) == "barrier" ? 1 : std::max<size_t>(1, (lines.size() + most - 1) / most);
      size_t tried = 0, found = 0;
      std::map<std::string, int> ways;
      std::string missed;
      for (size_t i = 0; i < lines.size(); i += stride) {
        mutation.line = lines[i];
        ++tried;
        if (noticed(trials, how)) {
          ++found, ++ways[how];
        } else {
          missed += " " + std::to_string(lines[i]);
        }
      }
      fmt::print("{} {}: {} of {} noticed ({} are executed, {} in all)", name, kind, found, tried, lines.size(), all);
      for (const auto& [way, n] : ways) fmt::print(", {}: {}", way, n);
      fmt::print("{}{}\n", missed.empty() ? "" : "; not PTX lines", missed);
      std::fflush(stdout);
    }
  }
  return 0;
}
}  // namespace
}  // namespace ptx

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "quick";
  if (what == "quick" || what == "all") return ptx::compare_all(what == "all");
  if (what == "counts" && argc == 3) return ptx::count(argv[2]);
#ifdef PTX_MUTABLE
  if (what == "mutations") return ptx::mutate(argc > 2 ? std::stoul(argv[2]) : 30);
#endif
  fmt::print(stderr, "ptx_suite quick | all | counts FILE (ptx_mutants: mutations [MOST])\n");
  return 2;
}
