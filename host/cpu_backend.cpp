// Threads that take models from one queue. A model belongs to one thread from its first step to its last, so results
// do not depend on how many there are.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "backend.hpp"
#include "cpu_kernels.hpp"

namespace phasegrid {
namespace {

struct AlignedFree {
  void operator()(float* p) const { ::operator delete (p, std::align_val_t{64}); }
};

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

  void work(float* mine) {
    while (!stopping()) {
      const std::size_t position = next.fetch_add(1, std::memory_order_relaxed);
      if (position >= size) return;
      const Training& training = *(std::ranges::upper_bound(trainings, position, {}, &Training::first) - 1);
      const std::size_t index = position - training.first;
      const std::int32_t status = training.train(index, mine);
      // Release: whoever sees the status sees the model's loss and parameters.
      std::atomic_ref<std::int32_t>(training.sweep.status[index]).store(status, std::memory_order_release);
    }
  }
};

}  // namespace

void train_on_cpu(std::span<PlannedSweep> sweeps, int threads, InstructionSet set, const Monitor& monitor) {
  Queue queue(sweeps, set);
  const std::size_t n_workers = std::min(static_cast<std::size_t>(threads), std::max<std::size_t>(queue.size, 1));
  std::vector<std::unique_ptr<float[], AlignedFree>> workspaces;  // all of them before the first model is begun
  for (std::size_t t = 0; t < n_workers; ++t) {
    workspaces.emplace_back(static_cast<float*>(
        ::operator new (std::max<std::size_t>(queue.workspace, 1) * sizeof(float), std::align_val_t{64})));
  }

  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = n_workers;
  std::vector<std::jthread> workers;
  for (std::size_t t = 0; t < n_workers; ++t) {
    workers.emplace_back([&, mine = workspaces[t].get()] {
      queue.work(mine);
      // Notified under the lock: the waiting thread may end, and the condition with it, as soon as it is let go.
      const std::lock_guard lock(mutex);
      --running;
      ended.notify_one();
    });
  }
  std::exception_ptr failure;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, std::chrono::milliseconds(kMonitorMilliseconds), [&] { return running == 0; })) {
    if (failure) continue;
    lock.unlock();
    try {
      if (monitor()) queue.request_stop();
    } catch (...) {  // the workers must end before their storage does
      failure = std::current_exception();
      queue.request_stop();
    }
    lock.lock();
  }
  lock.unlock();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace phasegrid
