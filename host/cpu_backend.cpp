// Threads that take models from one queue. A model belongs to one thread from its first step to its last, so results
// do not depend on how many there are.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "backend.hpp"
#include "cpu_kernels.hpp"

namespace phasegrid {
namespace {

// Models of all sweeps in one line.
struct Queue {
  std::span<PlannedSweep> sweeps;
  std::vector<Job> jobs;
  std::vector<TinyCpuKernels> kernels;
  std::vector<std::size_t> first;  // queue position of each sweep's first model
  std::size_t size = 0;
  std::atomic<std::size_t> next{0};
  std::int32_t stop = 0;           // read by the kernels through Job::stop

  void request_stop() { std::atomic_ref<std::int32_t>(stop).store(1, std::memory_order_relaxed); }
  bool stopping() { return std::atomic_ref<std::int32_t>(stop).load(std::memory_order_relaxed) != 0; }

  void work() {
    while (!stopping()) {
      const std::size_t position = next.fetch_add(1, std::memory_order_relaxed);
      if (position >= size) return;
      const auto s = static_cast<std::size_t>(std::upper_bound(first.begin(), first.end(), position) - first.begin()) - 1;
      const std::size_t index = position - first[s];
      const std::int32_t status = kernels[s].train(jobs[s], static_cast<int>(index));
      // Release: whoever sees the status sees the model's loss and parameters.
      std::atomic_ref<std::int32_t>(sweeps[s].status[index]).store(status, std::memory_order_release);
    }
  }
};

}  // namespace

void train_on_cpu(std::span<PlannedSweep> sweeps, int threads, InstructionSet set, const Monitor& monitor) {
  Queue queue;
  queue.sweeps = sweeps;
  std::vector<std::vector<BiasCorrection>> corrections;
  corrections.reserve(sweeps.size());
  for (PlannedSweep& sweep : sweeps) {
    int steps = 1;
    for (const CellSettings& cell : sweep.cells) steps = std::max(steps, cell.steps);
    corrections.push_back(bias_corrections(steps));
    Job job{};
    job.n_models = static_cast<std::int32_t>(sweep.models.size());
    job.top_k = sweep.shape.top_k;
    job.cells = sweep.cells.data();
    job.models = sweep.models.data();
    job.corrections = corrections.back().data();
    job.n_corrections = static_cast<std::int32_t>(corrections.back().size());
    job.stop = &queue.stop;
    job.losses = sweep.losses.data();
    job.parameters = sweep.parameters.data();
    queue.jobs.push_back(job);
    queue.kernels.push_back(cpu_kernels(sweep.shape, set));
    queue.first.push_back(queue.size);
    queue.size += sweep.models.size();
  }

  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = std::min(static_cast<std::size_t>(threads), std::max<std::size_t>(queue.size, 1));
  std::vector<std::jthread> workers;
  const std::size_t n_workers = running;
  for (std::size_t t = 0; t < n_workers; ++t) {
    workers.emplace_back([&] {
      queue.work();
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
