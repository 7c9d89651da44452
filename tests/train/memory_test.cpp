#include "train/memory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "phasegrid/error.hpp"
#include "phasegrid/shard.hpp"
#include "support/test_files.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;
using testing::expect_refusal;
using testing::TemporaryFolder;

constexpr double kMachine = 1e15;  // no machine has more

// A file system with a /proc and control groups.
class FakeRoot {
 public:
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root() + path).parent_path());
    std::ofstream(root() + path) << text;
  }
  std::string root() const { return folder_.path(); }
  double bytes() const { return memory_limit(root()).bytes; }

 private:
  TemporaryFolder folder_;
};

const std::string kSecond =
    "22 28 0:21 / /proc rw,nosuid - proc proc rw\n"
    "30 28 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(MemoryLimit, IsTheMachinesWithoutControlGroups) {
  const FakeRoot root;
  const MemoryLimit limit = memory_limit(root.root());
  EXPECT_GT(limit.bytes, 1e8);
  EXPECT_LT(limit.bytes, kMachine);
  EXPECT_LT(limit.left, limit.bytes);
  EXPECT_EQ(limit.what, "this machine has");
}

TEST(MemoryLimit, OfVersionTwoIsTheSmallestOfTheGroupAndThoseAroundIt) {
  const FakeRoot root;
  const double machine = root.bytes();
  root.write("/proc/self/mountinfo", kSecond);
  root.write("/proc/self/cgroup", "0::/job/step_0/task\n");
  EXPECT_EQ(root.bytes(), machine);  // no files: no limits
  root.write("/sys/fs/cgroup/job/step_0/task/memory.max", "max\n");
  root.write("/sys/fs/cgroup/job/step_0/memory.max", "90000000\n");
  EXPECT_EQ(root.bytes(), 9e7);
  root.write("/sys/fs/cgroup/job/memory.max", "80000000\n");
  EXPECT_EQ(root.bytes(), 8e7);
  root.write("/sys/fs/cgroup/job/step_0/task/memory.max", "70000000\n");
  const MemoryLimit limit = memory_limit(root.root());
  EXPECT_EQ(limit.bytes, 7e7);
  EXPECT_LT(limit.left, 7e7);
  EXPECT_NE(limit.what.find("control group"), std::string::npos);
  root.write("/sys/fs/cgroup/other/memory.max", "1\n");  // not ours
  EXPECT_EQ(root.bytes(), 7e7);
}

TEST(MemoryLimit, OfAContainerStandsAtTheTopOfItsMount) {
  const FakeRoot root;
  root.write("/proc/self/mountinfo", kSecond);
  root.write("/proc/self/cgroup", "0::/\n");
  root.write("/sys/fs/cgroup/memory.max", "60000000\n");
  EXPECT_EQ(root.bytes(), 6e7);
  root.write("/proc/self/cgroup", "0::/../../outside\n");
  EXPECT_EQ(root.bytes(), 6e7);
}

TEST(MemoryLimit, OfVersionOneIsThatOfTheMemoryController) {
  const FakeRoot root;
  root.write("/proc/self/mountinfo",
             "31 28 0:27 /docker/4f /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct\n"
             "33 28 0:29 /docker/4f /sys/fs/cgroup/memory ro,nosuid shared:1 master:2 - cgroup cgroup rw,memory\n");
  root.write("/proc/self/cgroup", "5:cpu,cpuacct:/docker/4f\n4:memory:/docker/4f/inner\n1:name=systemd:/docker/4f\n0::/x\n");
  const double machine = root.bytes();
  root.write("/sys/fs/cgroup/cpu/memory.limit_in_bytes", "1\n");
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");  // none
  EXPECT_EQ(root.bytes(), machine);
  root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "50000000\n");
  root.write("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(root.bytes(), 5e7);
  root.write("/sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "40000000\n");
  EXPECT_EQ(root.bytes(), 4e7);
}

TEST(MemoryLimit, BrokenFilesAreNoLimits) {
  const FakeRoot root;
  const double machine = root.bytes();
  root.write("/proc/self/mountinfo", "30 28\n\n- - - cgroup2\n" + kSecond + "a b c d e f g - cgroup");
  root.write("/proc/self/cgroup", "nonsense\n0:\n0::/x");
  root.write("/sys/fs/cgroup/x/memory.max", "many\n");
  EXPECT_EQ(root.bytes(), machine);
}

Sweep large_sweep() {
  Sweep sweep;
  sweep.restarts = 100;
  sweep.axes = {{AxisName::sparsity, range(0, 0.999, 0.001)}, {AxisName::last_importance, range(0.01, 10, 0.01)}};
  return sweep;  // 1,000,000 cells
}

double memory(const std::vector<Sweep>& sweeps, const MemoryUse& use) {
  return training_memory(std::vector<PlannedSweep>(sweeps.begin(), sweeps.end()), use);
}

TEST(TrainingMemory, GrowsWithWhatIsAskedFor) {
  const Sweep one = large_sweep();
  const double bare = memory({one}, {});
  EXPECT_GT(bare, 1e8 * 20);  // losses, status and place of every model, but not its parameters
  EXPECT_LT(bare, 1e8 * 24);
  EXPECT_GT(memory({one}, {.resumes = true}), bare + 1e8 * 3 * 4);
  EXPECT_GT(memory({one}, {.gpu = true}), 1.9 * bare);
  Sweep snapshots = one;
  snapshots.train.snapshots = {0, 1, 2};
  EXPECT_GT(memory({snapshots}, {}), bare + 1e8 * 3 * 8);
  const std::vector<Sweep> two = {one, one};
  EXPECT_GT(memory(two, {}), 1.9 * bare);
  Sweep wide;
  wide.data.sparsity = 0.5;
  wide.shape = {256, 64, 64, 64};
  EXPECT_GT(memory({wide}, {.threads = 8}), 7 * 4 * 3.0 * wide.shape.parameter_count());
}

TEST(TrainingMemory, BeyondTheLimitIsOneSentence) {
  const Sweep sweep = large_sweep();
  const MemoryLimit limit{4e8, 3.5e8, "the control group of this process may use"};
  expect_refusal("training takes", "the control group of this process may use 0.4 GB, of which 0.35 GB are left",
                 [&] { check_memory(std::vector{PlannedSweep(sweep)}, {}, limit); });
  Sweep small;
  small.data.sparsity = 0.5;
  check_memory(std::vector{PlannedSweep(small)}, {.threads = 4}, limit);
}

}  // namespace
}  // namespace phasegrid
