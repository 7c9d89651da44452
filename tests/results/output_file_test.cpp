// Files that are whole or absent: what is left of killed writers, who may write at a time, links, modes, and what
// happens to a temporary file meanwhile.
#include "results/output_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include "support/test_files.hpp"

namespace {
std::atomic<bool> no_locks = false;  // as on a file system without them
}
// In front of the C library's.
extern "C" int flock(int descriptor, int operation) noexcept {
  if (no_locks) {
    errno = ENOLCK;
    return -1;
  }
  return static_cast<int>(syscall(SYS_flock, descriptor, operation));
}

namespace phasegrid {
namespace {

namespace fs = std::filesystem;
using testing::Bytes;
using testing::expect_refusal;
using testing::read_bytes;
using testing::TemporaryFolder;
using testing::write_bytes;
using Names = std::vector<std::string>;
using Claim = OutputFile::Claim;

const Bytes kOld = {std::byte{1}}, kNew = {std::byte{2}, std::byte{3}};

class OutputFileTest : public ::testing::Test {
 protected:
  void write(Claim claim = Claim::shared) { OutputFile(path_, claim).finish(kNew); }
  std::string temporary() const {  // the one there is
    for (const std::string& name : folder_.names()) {
      if (name.starts_with(".results.npz.tmp-")) return folder_.file(name);
    }
    return "";
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("results.npz");
};

TEST_F(OutputFileTest, WhatKilledWritersLeftIsRemovedByTheNext) {
  for (const Claim claim : {Claim::shared, Claim::sole}) {
    const pid_t child = fork();
    if (child == 0) {
      const OutputFile file(path_, claim);
      raise(SIGKILL);
    }
    waitpid(child, nullptr, 0);
    ASSERT_NE(temporary(), "");
    write(claim);
    EXPECT_EQ(folder_.names(), Names{"results.npz"});
  }
}

TEST_F(OutputFileTest, OnlyLeftoversAreRemoved) {
  // Of this process id, which says nothing: a container may have had it.
  const std::string leftover = folder_.file(".results.npz.tmp-" + std::to_string(getpid()) + "-0123abcd");
  const Names others = {".other.npz.tmp-1-0123abcd",      ".results.npz.tmp-1-0123abcde", ".results.npz.tmp-1-0123abcg",
                        ".results.npz.tmp-mine",          ".results.npz.tmp--0123abcd",   "results.npz.tmp-1-0123abcd",
                        ".results.npz.old.tmp-1-0123abcd"};
  write_bytes(leftover, kOld);
  for (const std::string& name : others) write_bytes(folder_.file(name), kOld);
  fs::create_directory(folder_.file(".results.npz.tmp-2-0123abcd"));
  fs::create_symlink(others[0], folder_.file(".results.npz.tmp-3-0123abcd"));
  const std::size_t before = folder_.names().size();
  write();
  EXPECT_EQ(folder_.names().size(), before);  // one less and the result
  EXPECT_FALSE(fs::exists(leftover));
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(OutputFileTest, WhoeverIsAtWorkKeepsItsTemporaryFile) {
  const OutputFile working(path_, Claim::shared);
  const std::string its = temporary();
  write();
  EXPECT_TRUE(fs::exists(its));
  EXPECT_TRUE(remove_leftovers(path_));
}

TEST_F(OutputFileTest, OneAtATime) {
  const std::string sentence = "another training is writing this file";
  auto first = std::make_unique<OutputFile>(path_, Claim::sole);
  expect_refusal(path_, sentence, [&] { OutputFile(path_, Claim::sole); });
  fs::create_symlink("results.npz", folder_.file("link.npz"));
  expect_refusal("link.npz", sentence, [&] { OutputFile(folder_.file("link.npz"), Claim::sole); });
  { const OutputFile other(folder_.file("other.npz"), Claim::sole); }
  EXPECT_EQ(folder_.names().size(), 2u);
  first.reset();
  write(Claim::sole);
  EXPECT_EQ(folder_.names(), (Names{"link.npz", "results.npz"}));
}

TEST_F(OutputFileTest, OfManyAtTheSameMomentOneGetsIt) {
  for (int round = 0; round < 20; ++round) {
    constexpr int kWriters = 8;
    std::atomic<int> refused = 0;
    std::barrier together(kWriters);
    std::vector<std::jthread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&] {
        together.arrive_and_wait();
        std::unique_ptr<OutputFile> mine;
        try {
          mine = std::make_unique<OutputFile>(path_, Claim::sole);
        } catch (const InputError&) {
          ++refused;
        }
        together.arrive_and_wait();  // nobody lets go before all have tried
      });
    }
    writers.clear();
    ASSERT_EQ(refused, kWriters - 1);
    EXPECT_EQ(folder_.names(), Names{});
  }
}

TEST_F(OutputFileTest, LookingForOthersAndClaimingIsOneStep) {
  const int folder = open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(flock(folder, LOCK_EX), 0);  // as another one that is about to claim
  std::jthread late([&] { write(Claim::sole); });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(folder_.names(), Names{});
  close(folder);
  late.join();
  EXPECT_EQ(folder_.names(), Names{"results.npz"});
}

TEST_F(OutputFileTest, ATemporaryFileThatVanishedIsMadeAnew) {
  OutputFile file(path_, Claim::sole);
  file.reserve(100);
  fs::remove(temporary());
  file.finish(kNew);
  EXPECT_TRUE(file.is_in_place());
  EXPECT_EQ(read_bytes(path_), kNew);
  EXPECT_EQ(folder_.names(), Names{"results.npz"});
}

TEST_F(OutputFileTest, WhatReplacedTheTemporaryFileIsLeftAlone) {
  OutputFile file(path_, Claim::sole);
  const std::string name = temporary();
  fs::remove(name);
  write_bytes(name, kOld);
  file.finish(kNew);
  EXPECT_EQ(read_bytes(path_), kNew);
  EXPECT_EQ(read_bytes(name), kOld);
}

TEST_F(OutputFileTest, AChangeOfTheFolderMovesNothing) {
  const fs::path before = fs::current_path();
  fs::create_directory(folder_.file("elsewhere"));
  fs::current_path(folder_.path());
  OutputFile file("results.npz", Claim::sole);
  fs::current_path(folder_.file("elsewhere"));
  file.finish(kNew);
  fs::current_path(before);
  EXPECT_EQ(read_bytes(path_), kNew);
  EXPECT_TRUE(fs::is_empty(folder_.file("elsewhere")));
}

TEST_F(OutputFileTest, LinksAreFollowedAndModesStay) {
  auto mode = [](const std::string& path) { return static_cast<unsigned>(fs::status(path).permissions()); };
  fs::create_directory(folder_.file("far"));
  const std::string target = folder_.file("far/target.npz");
  fs::create_symlink("far/target.npz", folder_.file("near.npz"));
  fs::create_symlink(folder_.file("near.npz"), path_);
  write();  // a link to nothing makes it
  EXPECT_EQ(read_bytes(target), kNew);
  for (const unsigned bits : {0640u, 0604u}) {
    write_bytes(target, kOld);
    fs::permissions(target, fs::perms(bits));
    write(Claim::sole);
    EXPECT_EQ(read_bytes(target), kNew);
    EXPECT_EQ(mode(target), bits);
  }
  EXPECT_TRUE(fs::is_symlink(path_) && fs::is_symlink(folder_.file("near.npz")));
  EXPECT_EQ(folder_.names(), (Names{"far", "near.npz", "results.npz"}));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.file("far")), {}), 1);
}

TEST_F(OutputFileTest, LinksThatLeadNowhereAreRefused) {
  fs::create_symlink("results.npz", path_);
  expect_refusal(path_, "cannot be written", [&] { write(); });
  const std::string absent = folder_.file("absent.npz");
  fs::create_symlink("no/folder.npz", absent);
  expect_refusal(absent, "cannot be written", [&] { OutputFile(absent, Claim::sole); });
  EXPECT_EQ(folder_.names(), (Names{"absent.npz", "results.npz"}));
}

TEST_F(OutputFileTest, AFileSystemWithoutLocksStillWorks) {
  const std::string leftover = folder_.file(".results.npz.tmp-1-0123abcd");
  write_bytes(leftover, kOld);
  no_locks = true;
  {
    OutputFile first(path_, Claim::sole), second(path_, Claim::sole);  // who can tell
    first.finish(kNew);
  }
  no_locks = false;
  EXPECT_EQ(read_bytes(path_), kNew);
  EXPECT_TRUE(fs::exists(leftover));  // nor this
}

}  // namespace
}  // namespace phasegrid
