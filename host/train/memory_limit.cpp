#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "memory.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return false;
}

// The number that a file begins with; none where there is no file, or it says "max".
std::optional<double> number_in(const std::string& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

// Pages of this process: of its addresses, and of them in memory.
struct OwnPages {
  double addresses = 0, resident = 0;
};
OwnPages own_pages() {
  OwnPages own;
  std::ifstream("/proc/self/statm") >> own.addresses >> own.resident;
  return own;
}

// A hierarchy of control groups that has memory: version 2, or the memory controller of version 1.
struct Hierarchy {
  std::string mount, root;  // where it lies, and which of its groups lies there
  bool second;
};
std::vector<Hierarchy> hierarchies(const std::string& root) {
  std::vector<Hierarchy> found;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    // id, parent, device, root, mount point, options, optional fields, "-", type, source, options of the type
    const std::vector<std::string> words = words_of(line);
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 7 || words.end() - dash < 4) continue;
    const bool second = dash[1] == "cgroup2";
    if (second || (dash[1] == "cgroup" && has_word(dash[3], "memory"))) found.push_back({words[4], words[3], second});
  }
  return found;
}

// This process's group in it, as /proc/self/cgroup tells: "0::/a/b", or "4:cpu,memory:/a/b".
std::string group_in(const Hierarchy& hierarchy, const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (hierarchy.second ? controllers.empty() : has_word(controllers, "memory")) return line.substr(second + 1);
  }
  return "";
}

// The smallest limit of a group and those around it, as far as they can be seen.
std::optional<double> group_limit(const Hierarchy& hierarchy, const std::string& root) {
  std::string group = group_in(hierarchy, root);
  // In a container the mount shows its group as the top, while the process may still be named by the whole path.
  if (hierarchy.root != "/") {
    group = group.starts_with(hierarchy.root) ? group.substr(hierarchy.root.size()) : "";
  }
  if (group.find("..") != std::string::npos) group.clear();  // of another namespace
  std::optional<double> smallest;
  while (true) {
    const std::string folder = root + hierarchy.mount + group;
    const auto limit = number_in(folder + (hierarchy.second ? "/memory.max" : "/memory.limit_in_bytes"));
    if (limit && (!smallest || *limit < *smallest)) smallest = limit;
    if (group.empty() || group == "/") return smallest;
    group.resize(group.find_last_of('/'));
  }
}

}  // namespace

MemoryLimit memory_limit(const std::string& root) {
  const double page = static_cast<double>(sysconf(_SC_PAGE_SIZE));
  const OwnPages own = own_pages();
  const double machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * page;
  MemoryLimit limit{machine, machine - own.resident * page, "this machine has"};
  auto consider = [&](double bytes, double taken, std::string_view what) {
    if (bytes - taken < limit.left) limit = {bytes, bytes - taken, std::string(what)};
  };
  for (const Hierarchy& hierarchy : hierarchies(root)) {
    if (const auto bytes = group_limit(hierarchy, root)) {
      consider(*bytes, own.resident * page, "the control group of this process (its container or job) may use");
    }
  }
  rlimit most{};
  if (getrlimit(RLIMIT_AS, &most) == 0 && most.rlim_cur != RLIM_INFINITY) {
    consider(static_cast<double>(most.rlim_cur), own.addresses * page, "ulimit -v allows");
  }
  if (getrlimit(RLIMIT_DATA, &most) == 0 && most.rlim_cur != RLIM_INFINITY) {
    consider(static_cast<double>(most.rlim_cur), own.resident * page, "ulimit -d allows");
  }
  return limit;
}

void check_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use, const MemoryLimit& limit) {
  const double bytes = training_memory(sweeps, use);
  if (bytes <= limit.left) return;
  throw InputError(fmt::format("training takes {:.3g} GB of memory; {} {:.3g} GB, of which {:.3g} GB are left; take fewer "
                               "cells, restarts, snapshots{} or smaller models",
                               bytes * 1e-9, limit.what, limit.bytes * 1e-9, std::max(limit.left, 0.0) * 1e-9,
                               use.threads > 1 ? ", threads" : ""));
}

void check_memory(std::span<const PlannedSweep> sweeps, const MemoryUse& use) { check_memory(sweeps, use, memory_limit()); }

}  // namespace phasegrid
