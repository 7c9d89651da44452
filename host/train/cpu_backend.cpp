// Threads that take models from one queue. A model belongs to one thread from its first step to its last, so results
// do not depend on how many there are.
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "backend.hpp"
#include "instruction_sets.hpp"
#include "job_arrays.hpp"
#include "workspace.hpp"

namespace phasegrid {
namespace {

// One sweep, and how a thread trains a model of it.
struct Training {
  const PlannedSweep& sweep;
  CorrectionTables corrections;
  JobInputs<View> inputs;
  ModelSize size;
  CpuKernels kernels;
  std::size_t first;  // queue position of the first model

  Training(const PlannedSweep& planned, InstructionSet set, std::size_t position)
      : sweep(planned),
        corrections(correction_tables(planned)),
        inputs(planned, corrections),
        size(size_of(planned)),
        kernels(planned.mapping == Mapping::tiny ? tiny_kernels(planned.shape, set) : block_kernels(set)),
        first(position) {}

  // Trains the first model of a job.
  std::int32_t train(const Job& job, float* workspace) const {
    return kernels.train(job, 0, {sweep.shape, nullptr, nullptr, &sweep.layout, workspace});
  }
};

// What a thread trains in, one model at a time.
struct Bench {
  Workspace workspace;
  JobOutputs<Vector> outputs;
  std::atomic<std::size_t> position{std::numeric_limits<std::size_t>::max()};  // of the model in training

  Bench(std::size_t floats, const ModelSize& largest)
      : workspace(make_workspace(floats)), outputs(1, largest) {}

  std::atomic_ref<std::int32_t> steps_done() { return std::atomic_ref<std::int32_t>(outputs.steps_done[0]); }

  void begin(std::size_t at) {
    steps_done().store(0, std::memory_order_relaxed);
    position.store(at, std::memory_order_relaxed);
    // A training that ends early leaves its later snapshots as they are.
    std::ranges::fill(outputs.snapshot_losses, Losses{outputs.kNan, outputs.kNan});
    std::ranges::fill(outputs.snapshot_parameters, outputs.kNan);
  }
};

// Models of all sweeps in one line.
class Queue {
 public:
  Queue(std::span<const PlannedSweep> sweeps, InstructionSet set, Sink& sink) : sink_(sink) {
    trainings_.reserve(sweeps.size());
    for (const PlannedSweep& sweep : sweeps) {
      trainings_.emplace_back(sweep, set, size_);
      if (sweep.on_gpu) continue;
      size_ += sweep.models.size();
      workspace_ = std::max(workspace_, sweep.workspace);
      largest_.parameters = std::max(largest_.parameters, trainings_.back().size.parameters);
      largest_.snapshots = std::max(largest_.snapshots, trainings_.back().size.snapshots);
      largest_.moments = std::max(largest_.moments, trainings_.back().size.moments);
    }
  }

  std::size_t size() const { return size_; }
  void request_stop() { std::atomic_ref<std::int32_t>(stop_).store(1, std::memory_order_relaxed); }
  std::unique_ptr<Bench> make_bench() const { return std::make_unique<Bench>(workspace_, largest_); }

  // Trains the next model; false where there is none, or a stop was asked for.
  bool train_next(Bench& bench) {
    if (std::atomic_ref<std::int32_t>(stop_).load(std::memory_order_relaxed) != 0) return false;
    const std::size_t position = next_.fetch_add(1, std::memory_order_relaxed);
    if (position >= size_) return false;
    const Training& training = training_at(position);
    const std::size_t model = position - training.first;
    bench.begin(position);
    Job job = job_of(training.inputs, bench.outputs, &stop_);
    job.models += model;
    if (job.first_steps != nullptr) {
      job.first_steps += model;
      job.begun += model * (1 + kOptimiserStates) * training.size.parameters;
    }
    job.n_models = 1;
    const std::int32_t status = training.train(job, bench.workspace.get());
    if (status == kNotTrained) return false;  // it was stopped
    sink_.finished(static_cast<std::size_t>(&training - trainings_.data()), model,
                   bench.outputs.model(0, training.size, status));
    return true;
  }

  // The work that was done on the model at a bench.
  double begun(Bench& bench) const {
    const std::size_t position = bench.position.load(std::memory_order_relaxed);
    if (position >= size_) return 0;
    const Training& training = training_at(position);
    const auto cell = static_cast<std::size_t>(training.sweep.models[position - training.first].cell);
    const double share = bench.steps_done().load(std::memory_order_relaxed);
    return training.sweep.work(cell) * share / std::max(1, training.sweep.cells[cell].steps);
  }

 private:
  const Training& training_at(std::size_t position) const {
    return *(std::ranges::upper_bound(trainings_, position, {}, &Training::first) - 1);
  }

  Sink& sink_;
  std::vector<Training> trainings_;
  std::size_t size_ = 0, workspace_ = 0;
  ModelSize largest_;
  std::atomic<std::size_t> next_{0};
  std::int32_t stop_ = 0;  // read by the kernels through Job::stop
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

// Threads that take models until none is left, or one of them fails.
class Workers {
 public:
  // As many as can be had of `wanted`; problem() says why there are not more.
  Workers(Queue& queue, std::size_t wanted) : queue_(queue) {
    const SpareAddresses spare;
    benches_.reserve(wanted);
    threads_.reserve(wanted);
    while (threads_.size() < wanted && problem_.empty()) {
      try {
        benches_.push_back(queue.make_bench());
        add_running(1);
        try {
          threads_.emplace_back([this, bench = benches_.back().get()] { work(*bench); });
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

  // The work done on models that are in training.
  double begun() const {
    double sum = 0;
    for (const auto& bench : benches_) sum += queue_.begun(*bench);
    return sum;
  }
  // What ended a thread, once all are done.
  std::exception_ptr failure() const { return failure_; }

  std::size_t size() const { return threads_.size(); }
  const std::string& problem() const { return problem_; }

  // Whether all are done, after waiting for it for some time.
  bool done() {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, std::chrono::milliseconds(kLookMilliseconds), [&] { return running_ == 0; });
  }

 private:
  void work(Bench& bench) {
    try {
      while (queue_.train_next(bench)) {
      }
    } catch (...) {
      queue_.request_stop();
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
    bench.position = std::numeric_limits<std::size_t>::max();
    add_running(-1);
  }
  void add_running(int change) {
    // Notified under the lock: the waiting thread may end, and the condition with it, as soon as it is let go.
    const std::lock_guard lock(mutex_);
    running_ += change;
    ended_.notify_one();
  }

  Queue& queue_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int running_ = 0;
  std::string problem_;
  std::exception_ptr failure_;
  std::vector<std::unique_ptr<Bench>> benches_;
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace

void train_on_cpu(std::span<const PlannedSweep> sweeps, int threads, InstructionSet set, Sink& sink) {
  Queue queue(sweeps, set, sink);
  const std::size_t wanted = std::min(static_cast<std::size_t>(threads), std::max<std::size_t>(queue.size(), 1));
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
  const auto look = [&](double begun) {
    call([&] {
      if (sink.look(begun)) queue.request_stop();
    });
  };
  {
    Workers workers(queue, wanted);
    if (workers.size() == 0) {
      call([&] {
        sink.warn(fmt::format("no thread could be started to train with ({}); models are trained one after the other, "
                              "and a stop waits for the one in training",
                              workers.problem()));
      });
      const std::unique_ptr<Bench> mine = queue.make_bench();
      while (queue.train_next(*mine)) look(0);
    } else if (workers.size() < wanted) {
      call([&] {
        sink.warn(fmt::format("{} of {} threads could be started ({}); training goes on with them", workers.size(), wanted,
                              workers.problem()));
      });
    }
    while (!workers.done()) look(workers.begun());
    if (!failure) failure = workers.failure();
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace phasegrid
