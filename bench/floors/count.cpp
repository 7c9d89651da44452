// Prints the counted operations of every benchmark shape on every machine, as JSON: what machine_code.py compares with
// the machine code.
//
//   build/bench/count_operations [--out FILE.json]
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cases.hpp"
#include "json_file.hpp"
#include "operations.hpp"

namespace phasegrid::bench {
namespace {

nlohmann::json to_json(const Operations& operations) {
  nlohmann::json object;
  for (const auto& [name, number] : by_class(operations)) object[name] = number;
  object["total"] = operations.total();
  return object;
}

nlohmann::json row(const char* mapping, const Case& c, Machine machine, const Count& count) {
  return {{"case", c.name},
          {"mapping", mapping},
          {"machine", to_string(machine)},
          {"n", c.shape.n_features},
          {"m", c.shape.n_hidden},
          {"E", c.shape.n_experts},
          {"k", c.shape.top_k},
          {"batch", c.batch},
          {"load_balance", c.load_balance},
          {"random", to_json(count.random)},
          {"router", to_json(count.router)},
          {"expert", to_json(count.expert)},
          {"backward", to_json(count.backward)},
          {"step", to_json(count.step)},
          {"per_sample", to_json(count.per_sample())},
          {"total", to_json(count.total())}};
}

}  // namespace
}  // namespace phasegrid::bench

int main(int argc, char** argv) {
  using namespace phasegrid::bench;
  CLI::App app("Counted operations per sample, in machine instructions (a register of lanes, or a warp).");
  std::string out;
  app.add_option("--out", out, "JSON file; all numbers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  nlohmann::json rows = nlohmann::json::array();
  for (Machine machine : {Machine::avx512, Machine::avx2, Machine::cuda}) {
    for (const Case& c : kTinyCases) {
      rows.push_back(row("tiny", c, machine, count_tiny(c.shape, {c.batch, c.load_balance > 0}, machine)));
    }
    for (const Case& c : kBlockCases) {
      rows.push_back(row("block", c, machine, count_block(c.shape, {c.batch, c.load_balance > 0}, machine)));
    }
  }
  fmt::print("{:16} {:7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "instructions", "machine", "random", "router",
             "expert", "backward", "step", "total");
  for (const auto& r : rows) {
    auto total = [&](const char* stage) { return r[stage]["total"].get<double>(); };
    fmt::print("{:16} {:7} {:9.3f} {:9.3f} {:9.3f} {:9.3f} {:9.3f} {:9.3f}\n", r["case"].get<std::string>(),
               r["machine"].get<std::string>(), total("random"), total("router"), total("expert"), total("backward"),
               total("step"), total("total"));
  }
  return write_json(out, {{"rows", rows}}, "count_operations");
}
