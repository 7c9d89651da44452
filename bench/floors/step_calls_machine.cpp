// Runs the kernels on the counting machine. Stages that a function of the kernels stands for are called alone;
// `backward` is what the whole gradient calls beyond them, so that nothing a step does is left out.
#include <vector>

#include "block/model.hpp"
#include "step_calls.hpp"
#include "tiny/model.hpp"
#include "tiny/tiny.hpp"

namespace phasegrid::PHASEGRID_MACHINE {
namespace {

CellSettings a_cell(bool load_balance, int batch) {
  CellSettings cell{};
  cell.law = {0, 0x1p-32f, 0.5f};  // about half of the features are present
  for (float& importance : cell.importance) importance = 1.0f;
  cell.loss_scale = 1.0f;
  cell.learning_rate = 0.001f;
  cell.decay = 0.99f;
  cell.load_balance = load_balance ? 0.01f : 0.0f;
  cell.batch = batch;
  cell.error.power = 2;
  return cell;
}

Batch a_batch(int samples) { return {Key{1, 2}, 1, static_cast<uint32_t>(kStreamTrain), samples}; }

Calls optimiser_calls() {
  float numbers[4 * kWidth] = {};
  OptimiserStep step{};  // of AdamW
  step.rate = {0.001f, 0.99f};
  step.correction = {1.0f, 1.0f};
  return calls_of([&] {
    update_parameters(step, 0, 1, kWidth, numbers, numbers + kWidth, numbers + 2 * kWidth,
                      [](int) { return Floats(1.0f); });
  });
}

// What a batch of twice as many rows of 32 samples calls beyond one of kRows: without what is done once a batch.
constexpr int kRows = 2 * kStretch;
constexpr int kRegisters = kRows * kGroups;
template <class Pass>
Calls of_many_rows(Pass&& pass) {
  const Calls fewer = calls_of([&] { pass(a_batch(kRows * kLanes)); });
  return calls_of([&] { pass(a_batch(2 * kRows * kLanes)); }) - fewer;
}

template <class S>
bench::StepCalls tiny_calls(bool load_balance) {
  const CellSettings cell = a_cell(load_balance, kLanes);
  const int top_k = S::kTop1 ? 1 : 2;  // any k > 1 makes the same calls
  ModelStorage<S> storage;
  TinyModel<S> model(cell, top_k, Team{}, storage);
  model.initialise(Key{1, 2}, nullptr);
  const Weights<S> weights(storage.parameters);

  bench::StepCalls step;
  step.values = SumLayout<S>::kSize;
  step.optimiser = optimiser_calls();
  step.counted = kRegisters;
  constexpr int kSamples = Round<S::n>::kSamples;
  Floats x[kSamples][S::n];
  const Batch batch = a_batch(kLanes);
  step.random = kRegisters / kSamples * calls_of([&] { draw_round<S::n>(cell, batch, batch.key, 0, 0, x); });
  if constexpr (S::kTop1) {
    SampleTop1<S> sample;
    if constexpr (S::E > 1) {
      step.router = calls_of([&] {
        route_top1<S>(weights, x[0], AllLanes{}, sample);
        if (!load_balance) return;
        for (Floats& other : sample.other) other = exp_of_negative(other);
        Floats sums[SumLayout<S>::kSize];
        for (Floats& sum : sums) sum = 0.0f;
        add_mixing_top1<S>(sample, x[0], AllLanes{}, sums);
      });
    }
    step.expert = calls_of([&] {
      Floats z[S::n];
      chosen_expert_output<S>(weights, sample.chosen, x[0], z);
    });
  } else {
    step.router = calls_of([&] {
      Floats score[S::E], gate[S::E], probability[S::E];
      Mask active[S::E];
      route_scores<S>(weights, x[0], score);
      choose_top_k<S::E>(score, top_k, active, gate, probability);
    });
    step.expert = calls_of([&] {
      for (int e = 0; e < S::E; ++e) {
        Floats z[S::n];
        expert_output<S>(weights.w[e], weights.b[e], x[0], z);
      }
    });
  }
  step.router = kRegisters * step.router;
  step.expert = kRegisters * step.expert;
  if (!S::kTop1 && load_balance) {  // the shares of the experts are needed first: a pass of the loss finds them
    step.router = step.router - step.random + of_many_rows([&](const Batch& batch) {
                    sum_losses<S>(cell, top_k, batch, storage.parameters, Team{}, storage.step.loss);
                  });
    step.random = 2 * step.random;
  }
  const Calls whole = of_many_rows([&](const Batch& batch) { model.gradient(batch); });
  step.backward = whole - step.random - step.router - step.expert;
  return step;
}

struct CountTiny {
  bool load_balance;
  bench::StepCalls counted;
  template <int n, int m, int E, bool top1>
  void operator()() {
    counted = tiny_calls<StaticShape<n, m, E, top1>>(load_balance);
  }
};

}  // namespace

bench::StepCalls tiny_step_calls(const Shape& shape, bool load_balance) {
  CountTiny count{load_balance, {}};
  visit_number<kMaxTinyFeatures>(shape.n_features,
                                 [&](auto features) { visit_shape<decltype(features)::value>(shape, count); });
  return count.counted;
}

bench::StepCalls block_step_calls(const Shape& shape, bool load_balance, int tile) {
  CellSettings cell = a_cell(load_balance, tile);
  cell.router_init = RouterInit::zero;
  const std::vector<FeatureSettings> features(static_cast<size_t>(shape.n_features), {cell.law, 1.0f});
  const BlockLayout layout = block_layout(shape, tile, load_balance, kWidth < 16 ? 16 : kWidth, true);
  // A warp's register of calls is longer than the rest of `stream`, which ends the arena, is made for.
  const int arena = layout.size + 4 * kWidth;
  std::vector<float> memory(static_cast<size_t>(arena + kOptimiserStates * layout.parameter_floats));
  const BlockStorage s{layout, memory.data(), memory.data() + arena};
  const BlockTeam team;
  BlockModel model(shape, cell, features.data(), team, s);
  model.initialise(Key{1, 2}, nullptr);
  const Batch batch = a_batch(tile);
  const int rows = tile / kLanes, registers = registers_of(tile);

  bench::StepCalls step;
  step.counted = tile;
  step.optimiser = optimiser_calls();
  const Calls whole = calls_of([&] { model.gradient(batch); });
  if (shape.n_experts == 1) {
    step.random = calls_of([&] { draw_columns(s, batch, 0, rows, team); });
    step.expert = calls_of([&] {
      through_dense_weights(
          s, s.l.encoder_row(0), registers, team, [=](int f) { return s.feature(f); }, [=](int j) { return s.unit(j); });
      dense_outputs(s, registers, team, [](int, int, Floats) {});
    });
  } else {
    step.random = calls_of([&] { draw_rows(s, batch, 0, rows, team); });
    step.router = calls_of([&] { route_tile(s, tile, load_balance, team); });
    if (load_balance) {  // the shares of the experts are needed first: the batch is drawn and routed twice
      step.random = 2 * step.random;
      step.router = step.router + calls_of([&] { route_tile(s, tile, false, team); });
    }
    step.expert = calls_of([&] {
      hidden_units(s, Activation::linear, team);
      if (shape.top_k == 1) {
        outputs(
            s, team, [=](int p, int) { return s.row(p); }, [](float*, const float*, int, Floats) {});
      } else {
        combine_outputs(s, PlainOutput{}, tile, team, [](Floats error, int) { return error; });
      }
    });
  }
  step.backward = whole - step.random - step.router - step.expert;
  return step;
}

}  // namespace phasegrid::PHASEGRID_MACHINE
