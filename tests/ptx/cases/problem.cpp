#include "problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "block/layout.hpp"
#include "phasegrid/status.hpp"
#include "train/instruction_sets.hpp"
#include "train/plan.hpp"

namespace ptx {
using namespace phasegrid;

#define KERNEL(name) extern const Kernel name;
#include "kernels.inc"
#undef KERNEL

const std::map<std::string, const Kernel*>& kernels() {
  static const std::map<std::string, const Kernel*> all = {
#define KERNEL(name) {#name, &name},
#include "kernels.inc"
#undef KERNEL
  };
  return all;
}
std::string kernel_name(const Problem& p) {
  if (p.large) return "block_large";
  if (p.block) {
    const bool plain = std::ranges::all_of(p.cells, [&](const Cell& cell) { return is_plain(p.shape, cell); });
    return plain ? "block" : "block_general";
  }
  const Shape& s = p.shape;
  return "tiny_" + std::to_string(s.n_features) + std::to_string(s.n_hidden) + std::to_string(s.n_experts) +
         (s.top_k == 1 ? "_1" : "_0");
}

Cell make_cell(const Shape& shape, int batch, int steps, double balance, uint64_t seed, double sparsity, double rate) {
  Cell cell;
  cell.seed = seed;
  cell.sparsity.assign(static_cast<size_t>(shape.n_features), sparsity);
  cell.importance.assign(static_cast<size_t>(shape.n_features), 1.0);
  cell.importance.back() = 0.7;
  cell.train.steps = steps;
  cell.train.batch = batch;
  cell.train.learning_rate = rate;
  cell.train.load_balance = shape.n_experts > 1 ? balance : 0;
  cell.train.keep = Keep::last_batch;
  return cell;
}

namespace {
// Of tiny_cuda.cu, block_cuda.cu and block_cuda_large.cu.
constexpr int kTinyThreads = 64, kBlockThreads = 384, kLargeThreads = 256, kLargestTile = 512;

// NaN bits may differ between machines: any NaN equals any other. This is the one place that says so.
uint32_t comparable(float a) { return std::isnan(a) ? 0x7fc00000u : to_bits(a); }

class Comparison {
 public:
  explicit Comparison(Verdict& verdict) : verdict_(verdict) {}
  void compare(const std::string& what, const float* ptx, const float* cpu, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      ++verdict_.values;
      if (comparable(ptx[i]) == comparable(cpu[i])) continue;
      char text[200];
      snprintf(text, sizeof text, "%s[%zu]: PTX %08x (%.9g), CPU %08x (%.9g)", what.c_str(), i, to_bits(ptx[i]),
               static_cast<double>(ptx[i]), to_bits(cpu[i]), static_cast<double>(cpu[i]));
      verdict_.wrong.push_back(text);
      return;  // one of an array is enough
    }
  }
  void compare(const std::string& what, const Losses* ptx, const Losses* cpu, size_t n) {
    compare(what, &ptx->training, &cpu->training, 2 * n);
  }

 private:
  Verdict& verdict_;
};

// What the host sees of mapped memory while the kernel runs: a published model is complete, progress never falls, and
// the stop flag is obeyed.
class Host {
 public:
  Host(const Job& job, const Trained& cpu, size_t parameters, int stop_after, int32_t* stop, int steps, Verdict& v)
      : job_(job),
        cpu_(cpu),
        parameters_(parameters),
        stop_after_(stop_after),
        stop_(stop),
        steps_(steps),
        verdict_(v),
        seen_(static_cast<size_t>(job.n_models)),
        before_(static_cast<size_t>(job.n_models)) {}

  void look() {
    for (size_t i = 0; i < seen_.size(); ++i) {
      const int32_t done = job_.steps_done[i];
      if (done < before_[i] || done > steps_)
        wrong("steps_done of model " + std::to_string(i) + " is " + std::to_string(done));
      before_[i] = done;
      if (seen_[i] || job_.status[i] == kNotTrained) continue;
      seen_[i] = true;
      ++verdict_.published;
      check(i);
    }
    if (stop_after_ >= 0 && verdict_.published >= stop_after_) *stop_ = 1;
  }

 private:
  void wrong(const std::string& text) {
    if (verdict_.wrong.size() < 10) verdict_.wrong.push_back(text);
  }
  void check(size_t i) {
    if (job_.status[i] != cpu_.status[i]) {
      wrong("status of model " + std::to_string(i) + ": PTX " + std::to_string(job_.status[i]) + ", CPU " +
            std::to_string(cpu_.status[i]));
    }
    verdict_.diverged += job_.status[i] > 0;
    const size_t snapshots = static_cast<size_t>(job_.n_snapshots);
    Comparison c(verdict_);
    const std::string of = " of model " + std::to_string(i);
    c.compare("losses" + of, job_.losses + i, cpu_.losses.data() + i, 1);
    c.compare("parameters" + of, job_.parameters + i * parameters_, cpu_.parameters.data() + i * parameters_,
              parameters_);
    const size_t states = kOptimiserStates * parameters_;
    c.compare("optimiser" + of, job_.final_states + i * states, cpu_.states.data() + i * states, states);
    if (snapshots == 0) return;
    c.compare("snapshots' losses" + of, job_.snapshot_losses + i * snapshots,
              cpu_.snapshot_losses.data() + i * snapshots, snapshots);
    c.compare("snapshots" + of, job_.snapshot_parameters + i * snapshots * parameters_,
              cpu_.snapshot_parameters.data() + i * snapshots * parameters_, snapshots * parameters_);
  }

  const Job& job_;
  const Trained& cpu_;
  size_t parameters_;
  int stop_after_;
  int32_t* stop_;
  int steps_;
  Verdict& verdict_;
  std::vector<bool> seen_;
  std::vector<int32_t> before_;
};

// As memory that nobody has written, on both sides.
template <class T>
void fill_unwritten(std::vector<T>& a, size_t n) {
  a.resize(n);
  if (n > 0) memset(static_cast<void*>(a.data()), 0xcd, n * sizeof(T));
}
}  // namespace

Trial::Trial(Problem problem) : problem_(std::move(problem)) {
  for (size_t c = 0; c < problem_.cells.size(); ++c) {
    const TrainSettings& train = problem_.cells[c].train;
    cells_.push_back(cell_settings(problem_.shape, problem_.cells[c]));
    const auto features = feature_settings(problem_.shape, problem_.cells[c]);
    features_.insert(features_.end(), features.begin(), features.end());
    for (int r = 0; r < problem_.restarts; ++r) models_.push_back({static_cast<int32_t>(c), r});
    steps_ = std::max(steps_, train.steps);
    batch_ = std::max({batch_, train.batch, train.keep == Keep::evaluation ? kEvaluationSamples : 0});
    balance_ = balance_ || train.load_balance != 0;
  }
  corrections_ = bias_corrections(steps_);
  cpu_ = train_on_cpu(cells_);
  if (problem_.behind == 0) return;
  std::vector<CellSettings> shorter = cells_;
  for (CellSettings& cell : shorter) cell.steps = problem_.behind;
  const Trained begun = train_on_cpu(shorter);
  const auto size = static_cast<std::ptrdiff_t>(problem_.shape.parameter_count());
  for (std::ptrdiff_t i = 0; i < std::ssize(models_); ++i) {
    begun_.insert(begun_.end(), begun.parameters.begin() + i * size, begun.parameters.begin() + (i + 1) * size);
    begun_.insert(begun_.end(), begun.states.begin() + i * kOptimiserStates * size,
                  begun.states.begin() + (i + 1) * kOptimiserStates * size);
  }
}

int Trial::samples_of_steps() const {
  int samples = 0;
  for (const Cell& cell : problem_.cells) samples += cell.train.steps * cell.train.batch * problem_.restarts;
  return samples;
}

Trained Trial::train_on_cpu(const std::vector<CellSettings>& cells) const {
  Trained trained;
  const size_t n = models_.size(), size = static_cast<size_t>(problem_.shape.parameter_count());
  const size_t snapshots = problem_.snapshots.size();
  fill_unwritten(trained.losses, n);
  fill_unwritten(trained.parameters, n * size);
  fill_unwritten(trained.states, n * kOptimiserStates * size);
  fill_unwritten(trained.snapshot_losses, n * snapshots);
  fill_unwritten(trained.snapshot_parameters, n * snapshots * size);
  trained.status.resize(n);
  const int32_t stop = 0;
  std::vector<int32_t> steps_done(n);
  Job job{};
  job.n_models = static_cast<int32_t>(n), job.top_k = problem_.shape.top_k;
  job.cells = cells.data(), job.features = features_.data(), job.models = models_.data();
  job.corrections = corrections_.data(), job.n_corrections = static_cast<int32_t>(corrections_.size());
  job.snapshots = problem_.snapshots.data(), job.n_snapshots = static_cast<int32_t>(snapshots);
  job.stop = &stop, job.steps_done = steps_done.data();
  job.losses = trained.losses.data(), job.parameters = trained.parameters.data();
  job.final_states = trained.states.data();
  job.snapshot_losses = trained.snapshot_losses.data(), job.snapshot_parameters = trained.snapshot_parameters.data();
  const InstructionSet set = best_instruction_set();
  if (!problem_.block) {
    const CpuKernels cpu = tiny_kernels(problem_.shape, set);
    for (size_t i = 0; i < n; ++i) trained.status[i] = cpu.train(job, static_cast<int>(i), {problem_.shape});
    return trained;
  }
  const BlockLayout layout = block_layout(problem_.shape, cpu_tile(problem_.shape, batch_), balance_, 16, true);
  const size_t bytes = workspace_floats(layout) * 4;
  const std::unique_ptr<float, decltype(&free)> work(static_cast<float*>(aligned_alloc(64, (bytes + 63) / 64 * 64)),
                                                     free);
  const CpuKernels cpu = block_kernels(set);
  for (size_t i = 0; i < n; ++i)
    trained.status[i] = cpu.train(job, static_cast<int>(i), {problem_.shape, nullptr, nullptr, &layout, work.get()});
  return trained;
}

Verdict Trial::run(Order order, unsigned seed, int64_t most_blocks) const {
  const Problem& p = problem_;
  const size_t n = models_.size(), size = static_cast<size_t>(p.shape.parameter_count()),
               snapshots = p.snapshots.size();
  const int tile =
      p.shape.n_experts == 1 ? dense_tile(p.shape, batch_) : tile_of_batch(p.shape.n_features, batch_, kLargestTile);
  const BlockLayout layout = block_layout(p.shape, p.tile ? p.tile : tile, balance_, kLanes, false);
  const size_t states =
      p.block ? kOptimiserStates * static_cast<size_t>(layout.parameter_floats) * static_cast<size_t>(p.blocks) : 0;
  const int32_t zero = 0;
  const std::vector<int32_t> unset(n, kNotTrained), no_steps(n, 0);
  const size_t arenas = p.large ? static_cast<size_t>(layout.size) * static_cast<size_t>(p.blocks) : 0;
  DeviceMemory memory(4 * (states + arenas + n * (snapshots + 6) * (size + 2) + 4 * n) + cells_.size() * sizeof cells_[0] +
                      features_.size() * sizeof features_[0] + corrections_.size() * 8);
  Job job{};
  job.n_models = static_cast<int32_t>(n), job.top_k = p.shape.top_k;
  job.cells = memory.holding(cells_.data(), cells_.size(), false);
  job.features = p.block ? memory.holding(features_.data(), features_.size(), false) : nullptr;
  job.models = memory.holding(models_.data(), n, false);
  job.corrections = memory.holding(corrections_.data(), corrections_.size(), false);
  job.n_corrections = static_cast<int32_t>(corrections_.size());
  job.snapshots = memory.holding(p.snapshots.data(), snapshots, false);
  job.n_snapshots = static_cast<int32_t>(snapshots);
  int32_t* stop = memory.holding(&zero, 1, false);
  job.stop = stop;
  job.steps_done = memory.holding(no_steps.data(), n, true);
  job.losses = memory.unwritten<Losses>(n);
  job.parameters = memory.unwritten<float>(n * size);
  job.final_states = memory.unwritten<float>(n * kOptimiserStates * size);
  const std::vector<int32_t> behind(n, p.behind);
  job.first_steps = p.behind > 0 ? memory.holding(behind.data(), n, false) : nullptr;
  job.begun = p.behind > 0 ? memory.holding(begun_.data(), begun_.size(), false) : nullptr;
  job.snapshot_losses = memory.unwritten<Losses>(n * snapshots);
  job.snapshot_parameters = memory.unwritten<float>(n * snapshots * size);
  job.status = memory.holding(unset.data(), n, true);
  job.next = memory.holding(&zero, 1, true);
  job.states = memory.unwritten<float>(states);
  job.arenas = memory.unwritten<float>(arenas);

  Verdict verdict;
  Host host(job, cpu_, size, p.stop_after, stop, steps_, verdict);
  Launch how{p.blocks,
             p.large ? kLargeThreads : p.block ? kBlockThreads : kTinyThreads,
             p.block && !p.large ? static_cast<uint32_t>(layout.size) * 4 : 0,
             order,
             seed,
             most_blocks,
             [&] { host.look(); }};
  std::vector<Argument> arguments{{&job, sizeof job}};
  if (p.block) arguments.insert(arguments.end(), {{&p.shape, sizeof p.shape}, {&layout, sizeof layout}});
  verdict.outcome = launch(*kernels().at(kernel_name(p)), arguments, memory, how);
  for (const Report& r : verdict.outcome.reports) verdict.wrong.push_back(r.text);
  const int expected = static_cast<int>(n);
  if (p.stop_after < 0) {
    if (verdict.published != expected)
      verdict.wrong.push_back("only " + std::to_string(verdict.published) + " models are published");
    if (*job.next < expected) verdict.wrong.push_back("the queue is not empty");
  } else if (verdict.published < p.stop_after || verdict.published >= expected || *job.next > expected) {
    verdict.wrong.push_back("the stop flag is not obeyed: " + std::to_string(verdict.published) +
                            " models are published");
  }
  return verdict;
}

}  // namespace ptx
