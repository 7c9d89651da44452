// Threads that take models from one queue. A model belongs to one thread from its first step to its last, so results
// do not depend on how many there are.
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>

#include "backend.hpp"
#include "cpu_kernels.hpp"

namespace phasegrid {
namespace {

struct AlignedFree {
  void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
};

using Workspace = std::unique_ptr<float[], AlignedFree>;

// One sweep, and how a thread trains a model of it.
struct Training {
  PlannedSweep& sweep;
  std::vector<BiasCorrection> corrections;
  Job job;
  TinyCpuKernels tiny;
  BlockCpuKernels block;
  std::size_t first;  // queue position of the first model

  Training(PlannedSweep& planned, InstructionSet set, const std::int32_t* stop, std::size_t position)
      : sweep(planned),
        corrections(bias_corrections(planned.most_steps)),
        job(job_of(planned, corrections)),
        first(position) {
    job.cells = sweep.cells.data();
    job.features = sweep.features.data();
    job.models = sweep.models.data();
    job.corrections = corrections.data();
    job.snapshots = sweep.snapshots.data();
    job.stop = stop;
    job.steps_done = sweep.steps_done.data();
    job.losses = sweep.losses.data();
    job.parameters = sweep.parameters.data();
    job.snapshot_losses = sweep.snapshot_losses.data();
    job.snapshot_parameters = sweep.snapshot_parameters.data();
    if (sweep.mapping == Mapping::tiny) {
      tiny = cpu_kernels(sweep.shape, set);
    } else {
      block = block_cpu_kernels(set);
    }
  }

  std::int32_t train(std::size_t index, float* workspace) const {
    const int model = static_cast<int>(index);
    return sweep.mapping == Mapping::tiny ? tiny.train(job, model)
                                          : block.train(job, model, sweep.shape, sweep.layout, workspace);
  }
};

// Models of all sweeps in one line.
struct Queue {
  std::vector<Training> trainings;
  std::size_t size = 0;
  std::size_t workspace = 0;  // floats that a thread needs for any of them
  std::atomic<std::size_t> next{0};
  std::int32_t stop = 0;  // read by the kernels through Job::stop

  Queue(std::span<PlannedSweep> sweeps, InstructionSet set) {
    trainings.reserve(sweeps.size());
    for (PlannedSweep& sweep : sweeps) {
      trainings.emplace_back(sweep, set, &stop, size);
      size += sweep.models.size();
      workspace = std::max(workspace, sweep.workspace());
    }
  }

  void request_stop() { std::atomic_ref<std::int32_t>(stop).store(1, std::memory_order_relaxed); }
  bool stopping() { return std::atomic_ref<std::int32_t>(stop).load(std::memory_order_relaxed) != 0; }

  Workspace make_workspace() const {
    return Workspace(static_cast<float*>(
        ::operator new (std::max<std::size_t>(workspace, 1) * sizeof(float), std::align_val_t{64})));
  }

  // Trains the next model; false where there is none, or a stop was asked for.
  bool train_next(float* mine) {
    if (stopping()) return false;
    const std::size_t position = next.fetch_add(1, std::memory_order_relaxed);
    if (position >= size) return false;
    const Training& training = *(std::ranges::upper_bound(trainings, position, {}, &Training::first) - 1);
    const std::size_t index = position - training.first;
    const std::int32_t status = training.train(index, mine);
    // Release: whoever sees the status sees the model's loss and parameters.
    std::atomic_ref<std::int32_t>(training.sweep.status[index]).store(status, std::memory_order_release);
    return true;
  }
};

// Addresses kept free while threads are made: where `ulimit -v` is the limit, they would take all that there are, and
// nothing could be saved any more.
class SpareAddresses {
 public:
  SpareAddresses() : at_(mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~SpareAddresses() {
    if (at_ != MAP_FAILED) munmap(at_, kSize);
  }
  SpareAddresses(const SpareAddresses&) = delete;
  SpareAddresses& operator=(const SpareAddresses&) = delete;

 private:
  static constexpr std::size_t kSize = std::size_t{256} << 20;
  void* at_;
};

// Threads that take models until none is left.
class Workers {
 public:
  // As many as can be had of `wanted`; problem() says why there are not more.
  Workers(Queue& queue, std::size_t wanted) {
    const SpareAddresses spare;
    workspaces_.reserve(wanted);
    threads_.reserve(wanted);
    while (threads_.size() < wanted && problem_.empty()) {
      try {
        workspaces_.push_back(queue.make_workspace());
        add_running(1);
        try {
          threads_.emplace_back([this, &queue, mine = workspaces_.back().get()] {
            while (queue.train_next(mine)) {
            }
            add_running(-1);
          });
        } catch (...) {
          add_running(-1);
          throw;
        }
      } catch (const std::system_error& error) {
        problem_ = error.code().message();
      } catch (const std::bad_alloc&) {
        problem_ = "not enough memory";
      }
    }
  }

  std::size_t size() const { return threads_.size(); }
  const std::string& problem() const { return problem_; }

  // Whether all are done, after waiting for it for some time.
  bool done() {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, std::chrono::milliseconds(kMonitorMilliseconds), [&] { return running_ == 0; });
  }

 private:
  void add_running(int change) {
    // Notified under the lock: the waiting thread may end, and the condition with it, as soon as it is let go.
    const std::lock_guard lock(mutex_);
    running_ += change;
    ended_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;
  std::string problem_;
  std::vector<Workspace> workspaces_;
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace

void train_on_cpu(std::span<PlannedSweep> sweeps, int threads, InstructionSet set, const Monitor& monitor,
                  const Warn& warn) {
  Queue queue(sweeps, set);
  const std::size_t wanted = std::min(static_cast<std::size_t>(threads), std::max<std::size_t>(queue.size, 1));
  std::exception_ptr failure;
  // The workers must end before what they use does, whatever a callback throws.
  const auto call = [&](auto&& callback) {
    if (failure) return;
    try {
      callback();
    } catch (...) {
      failure = std::current_exception();
      queue.request_stop();
    }
  };
  const auto look = [&] {
    if (monitor()) queue.request_stop();
  };
  {
    Workers workers(queue, wanted);
    if (workers.size() == 0) {
      call([&] {
        warn(fmt::format("no thread could be started to train with ({}); models are trained one after the other, and a "
                         "stop waits for the one in training",
                         workers.problem()));
      });
      const Workspace mine = queue.make_workspace();
      while (queue.train_next(mine.get())) call(look);
    } else if (workers.size() < wanted) {
      call([&] {
        warn(fmt::format("{} of {} threads could be started ({}); training goes on with them", workers.size(), wanted,
                         workers.problem()));
      });
    }
    while (!workers.done()) call(look);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace phasegrid
