// Each check catches the bug that was planted for it (planted/planted.cu), in every order of threads, and reports
// nothing of the kernel without one.
#include <gtest/gtest.h>

#include "grid.hpp"

namespace ptx {
#define KERNEL(name) extern const Kernel name;
#include "kernels.inc"
#undef KERNEL

namespace {
constexpr int kThreads = 64;

Outcome run(const Kernel& kernel, Order order) {
  DeviceMemory memory(1 << 16);
  const std::vector<float> numbers(kThreads, 0.0f);
  const bool unwritten = std::string(kernel.name) == "global_unwritten";
  float* to = unwritten ? memory.unwritten<float>(kThreads) : memory.holding(numbers.data(), kThreads, true);
  float* from = memory.holding(numbers.data(), kThreads, false);
  const int number = std::string(kernel.name) == "barrier_for_some" ? kThreads - 16 : 1;
  std::vector<Argument> arguments{{&to, sizeof to}};
  if (kernel.parameters.size() > 1 && kernel.parameters[1].size == 4) arguments.push_back({&number, 4});
  if (kernel.parameters.size() > 1 && kernel.parameters[1].size == 8) arguments.push_back({&from, 8});
  Launch how;
  how.blocks = std::string(kernel.name) == "race_between_blocks" ? 2 : 1;
  how.threads = kThreads;
  how.order = order;
  how.most_blocks = 1'000'000;
  return launch(kernel, arguments, memory, how);
}

struct Plant {
  const Kernel& kernel;
  Fault fault;
};

TEST(Ptx, EachCheckCatchesItsPlantedBug) {
  for (const Plant& p :
       {Plant{shared_out_of_bounds, Fault::shared_bounds}, Plant{global_out_of_bounds, Fault::global_bounds},
        Plant{shared_unwritten, Fault::shared_unwritten}, Plant{global_unwritten, Fault::global_unwritten},
        Plant{race_between_warps, Fault::race}, Plant{race_between_lanes, Fault::race},
        Plant{race_write_after_read, Fault::race}, Plant{race_between_blocks, Fault::race},
        Plant{mask_names_too_many, Fault::mask}, Plant{mask_names_too_few, Fault::mask},
        Plant{shuffle_from_outside, Fault::mask}, Plant{barrier_for_some, Fault::barrier},
        Plant{divergent_barrier, Fault::barrier}, Plant{endless, Fault::endless},
        Plant{writes_what_is_read_only, Fault::read_only}, Plant{misaligned_vector, Fault::misaligned}}) {
    for (const Order order : {Order::forward, Order::backward, Order::random}) {
      const Outcome outcome = run(p.kernel, order);
      EXPECT_TRUE(outcome.has(p.fault)) << p.kernel.name << ": no " << to_string(p.fault);
    }
  }
}

TEST(Ptx, NothingIsReportedOfACorrectKernel) {
  for (const Order order : {Order::forward, Order::backward, Order::random}) {
    const Outcome outcome = run(correct, order);
    for (const Report& r : outcome.reports) ADD_FAILURE() << r.text;
  }
}
}  // namespace
}  // namespace ptx
