#include "output_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "input_file.hpp"
#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const std::string& path, int error) {
  throw InputError(fmt::format("{}: cannot be written: {}", path, std::strerror(error)));
}

// ---------------------------------------------------------------- names

// What the names of a target's temporary files begin with: ".c.npz.tmp-".
std::string temporary_prefix(const fs::path& target) { return fmt::format(".{}.tmp-", target.filename().string()); }

// A name beside `target` that no other writer takes: containers that share a folder may well share process ids too.
std::string temporary_for(const fs::path& target) {
  const unsigned number = std::random_device{}();
  return (target.parent_path() / fmt::format("{}{}-{:08x}", temporary_prefix(target), getpid(), number)).string();
}

// "PID-RANDOM", as temporary_for ends.
bool is_ending(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == 0 || dash == std::string_view::npos || text.size() - dash != 9) return false;
  auto only = [](std::string_view part, std::string_view digits) {
    return part.find_first_not_of(digits) == std::string_view::npos;
  };
  return only(text.substr(0, dash), "0123456789") && only(text.substr(dash + 1), "0123456789abcdef");
}

// ---------------------------------------------------------------- locks

// A lock that ends with its holder, however it ends. Not every file system has them.
enum class Lock { taken, held_by_another, unknown };
Lock try_lock(int descriptor) {
  int failed = 0;
  do {
    failed = flock(descriptor, LOCK_EX | LOCK_NB);
  } while (failed != 0 && errno == EINTR);
  if (failed == 0) return Lock::taken;
  return errno == EWOULDBLOCK ? Lock::held_by_another : Lock::unknown;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

int open_folder(const fs::path& target) {
  return open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Keeps others from claiming a file of the folder at the same moment: of two that look for each other's temporary file
// and then make their own, both would go on. Whoever else locks the folder for long is none of them and not waited for.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& target) : folder_(open_folder(target)) {
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + 2s;
    while (folder_.number() >= 0 && try_lock(folder_.number()) == Lock::held_by_another &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(2ms);
    }
  }

 private:
  Descriptor folder_;
};

struct CloseFolder {
  void operator()(DIR* listing) const { closedir(listing); }
};

// Removes the temporary file of a writer that is gone; whether its writer is at work.
bool at_work(const std::string& temporary) {
  const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int opened = open(temporary.c_str(), O_RDWR | flags);  // to write: over NFS, only such a file can be locked
  if (opened < 0) opened = open(temporary.c_str(), O_RDONLY | flags);
  const Descriptor file(opened);
  struct stat found = {};
  if (opened < 0 || fstat(opened, &found) != 0 || !S_ISREG(found.st_mode)) return false;
  const Lock lock = try_lock(opened);
  if (lock == Lock::taken) unlink(temporary.c_str());
  return lock == Lock::held_by_another;
}

// A file size limit should be an error to read, not a signal to die of. A handler of the caller's own stays.
void ignore_file_size_signal() {
  struct sigaction current = {};
  if (sigaction(SIGXFSZ, nullptr, &current) != 0) return;
  if ((current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == SIG_DFL) std::signal(SIGXFSZ, SIG_IGN);
}

// What is replaced hands on its mode and, where this process may give files away, its owner.
void take_over_mode(int descriptor, const std::string& target) {
  struct stat before = {};
  if (stat(target.c_str(), &before) != 0 || !S_ISREG(before.st_mode)) return;
  [[maybe_unused]] const int given = fchown(descriptor, before.st_uid, before.st_gid);
  [[maybe_unused]] const int changed = fchmod(descriptor, before.st_mode & 0777);
}

void put(const std::string& path, int descriptor, std::uint64_t at, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) refuse(path, errno);
    at += static_cast<std::uint64_t>(wrote);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
}

}  // namespace

std::string real_path(const std::string& path) {
  if (path.empty()) return path;
  std::error_code error;
  fs::path real = fs::absolute(path, error);
  constexpr int kMostLinks = 40;  // as Linux allows
  for (int links = 0; fs::is_symlink(real, error); ++links) {
    if (links == kMostLinks) refuse(path, ELOOP);
    real = real.parent_path() / fs::read_symlink(real, error);  // an absolute one replaces all
  }
  return real.string();
}

bool remove_leftovers(const std::string& target) {
  const std::string prefix = temporary_prefix(target);
  const fs::path folder = fs::path(target).parent_path();
  std::vector<std::string> found;
  {
    const std::unique_ptr<DIR, CloseFolder> listing(opendir(folder.c_str()));
    while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
      const std::string_view name(entry->d_name);
      if (name.starts_with(prefix) && is_ending(name.substr(prefix.size()))) found.push_back(folder / name);
    }
  }
  return std::ranges::count_if(found, at_work) > 0;  // of all: each one is looked at
}

OutputFile::OutputFile(const std::string& path, Claim claim) : path_(path) {
  std::error_code unknown;  // then opening it says what is wrong
  if (fs::path(path).filename().empty() || fs::is_directory(path, unknown)) refuse(path, EISDIR);
  // Renaming onto it would do away with a device: /dev/null itself, where root asks for no output.
  if (fs::exists(path, unknown) && !fs::is_regular_file(path, unknown)) {
    throw InputError(fmt::format("{}: cannot be written: it exists and is not a regular file", path));
  }
  target_ = real_path(path);
  ignore_file_size_signal();
  if (claim == Claim::shared) {
    remove_leftovers(target_);
    create();
    return;
  }
  const FolderLock lock(target_);
  if (remove_leftovers(target_)) {
    throw InputError(
        fmt::format("{}: another training is writing this file; wait until it ends, or write to another file", path));
  }
  create();
}

OutputFile::~OutputFile() { let_go(); }

void OutputFile::let_go() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
  temporary_.clear();
  descriptor_ = -1;
}

void OutputFile::create() {
  constexpr int kMostAttempts = 100;
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    const std::string name = temporary_for(target_);
    // O_EXCL: never a file, or a link to one, that was there before.
    descriptor_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) refuse(path_, errno);
    temporary_ = name;
    // Before it has its lock another process can take it for a leftover: that one then has the lock, or had it.
    if (try_lock(descriptor_) != Lock::held_by_another && !vanished()) return;
    let_go();
  }
  refuse(path_, EEXIST);
}

bool OutputFile::vanished() const {
  struct stat opened = {}, named = {};
  return descriptor_ < 0 || fstat(descriptor_, &opened) != 0 || lstat(temporary_.c_str(), &named) != 0 ||
         opened.st_ino != named.st_ino || opened.st_dev != named.st_dev;
}

void OutputFile::reserve(std::size_t size) {
  int error = EINTR;
  while (error == EINTR) error = posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
  // A file system that cannot reserve (EINVAL, EOPNOTSUPP) is not full.
  if (error == ENOSPC || error == EFBIG || error == EDQUOT) refuse(path_, error);
}

void OutputFile::write(std::uint64_t at, std::span<const std::byte> bytes) { put(path_, descriptor_, at, bytes); }

void OutputFile::finish(std::span<const std::byte> bytes) {
  finish([&] {
    write(0, bytes);
    return bytes.size();
  });
}

void OutputFile::finish(const std::function<std::uint64_t()>& fill) {
  if (vanished()) {
    temporary_.clear();  // what has that name now is not this one
    let_go();
    create();
  }
  if (ftruncate(descriptor_, static_cast<off_t>(fill())) != 0) refuse(path_, errno);
  if (fsync(descriptor_) != 0) refuse(path_, errno);  // the data before the name points to it
  take_over_mode(descriptor_, target_);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) refuse(path_, errno);
  temporary_.clear();
  in_place_ = true;
  let_go();  // only now: without its lock the temporary file would be a leftover
  const Descriptor folder(open_folder(target_));
  if (folder.number() >= 0) (void)fsync(folder.number());  // some folders cannot be opened for reading
}

ScratchFile::ScratchFile(const std::string& path) : path_(path) {
  const std::string name = temporary_for(real_path(path));
  descriptor_ = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor_ < 0) refuse(path, errno);
  unlink(name.c_str());
}

ScratchFile::~ScratchFile() { close(descriptor_); }

void ScratchFile::write(std::uint64_t at, std::span<const std::byte> bytes) { put(path_, descriptor_, at, bytes); }

void ScratchFile::read(std::uint64_t at, std::span<std::byte> to) const {
  if (!read_at(descriptor_, at, to)) refuse(path_, EIO);
}

}  // namespace phasegrid
