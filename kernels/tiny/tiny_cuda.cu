// The tiny mapping on CUDA: one warp trains one model from its initial parameters to its last loss. A persistent grid,
// as large as the device holds, takes models from a queue, so a phase diagram is one launch. Compiled once for every
// number of features (PHASEGRID_FEATURES).
#include <cuda_runtime.h>

#include <algorithm>

#include "tiny.hpp"
#include "tiny_cuda.hpp"
#include "model.hpp"

namespace phasegrid::cuda {
namespace {

constexpr int kWarpsPerBlock = 2;  // small blocks leave the fewest registers of a multiprocessor without a warp
constexpr int kThreads = kWarpsPerBlock * kLanes;

// Shared memory of one warp.
template <class S>
struct WarpStorage {
  CellSettings cell;
  ModelStorage<S> model;
};

// Lane 0 takes the next model for its warp.
PG_INLINE int take_model(const Job& job, Team team) {
  int index = 0;
  if (team.rank() == 0) index = atomicAdd(job.next, 1);
  return __shfl_sync(kWarp, index, 0);
}

PG_INLINE void load_cell(const CellSettings& from, Team team, CellSettings& to) {
  static_assert(sizeof(CellSettings) % sizeof(uint32_t) == 0);
  team.barrier();  // the model before is done with it
  for (int i = team.rank(); i < static_cast<int>(sizeof(CellSettings) / sizeof(uint32_t)); i += team.size()) {
    reinterpret_cast<uint32_t*>(&to)[i] = reinterpret_cast<const uint32_t*>(&from)[i];
  }
  team.barrier();
}

// The host reads results while the kernel runs, so the status comes last: the barrier orders every lane's
// parameters before the fence, and the fence, which passes on what it has seen, before the status.
template <class S>
PG_INLINE void publish(const Job& job, int index, const Outcome& outcome, Team team, const TinyModel<S>& model) {
  write_model(job, index, S::kParameters, model);
  team.barrier();
  if (team.rank() != 0) return;
  job.losses[index] = outcome.loss;
  __threadfence_system();
  *static_cast<volatile int32_t*>(job.status + index) = outcome.status;
}

// Dense models' few registers are kept few: 96, for 20 warps a multiprocessor. Of mixtures, some would spill.
template <class S>
constexpr int kLeastBlocks = S::E == 1 ? 10 : 1;

template <class S>
__global__ void __launch_bounds__(kThreads, kLeastBlocks<S>) train_models(const __grid_constant__ Job job) {
  __shared__ WarpStorage<S> storage[kWarpsPerBlock];
  WarpStorage<S>& mine = storage[threadIdx.x / kLanes];
  const Team team;
  for (int index = take_model(job, team); index < job.n_models; index = take_model(job, team)) {
    const ModelId id = job.models[index];
    load_cell(job.cells[id.cell], team, mine.cell);
    TinyModel<S> model(mine.cell, job.top_k, team, mine.model);
    const Outcome outcome = train_model(job, index, mine.cell, id.restart, S::kParameters, model);
    if (outcome.stopped) return;
    publish<S>(job, index, outcome, team, model);
  }
}

// ---------------------------------------------------------------- launchers

template <class S>
cudaError_t describe(int n_models, TinyLaunch* launch) {
  int device = 0, processors = 0, blocks_per_processor = 0;
  cudaFuncAttributes attributes{};
  if (cudaError_t e = cudaGetDevice(&device); e != cudaSuccess) return e;
  if (cudaError_t e = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device); e != cudaSuccess) {
    return e;
  }
  if (cudaError_t e = cudaFuncGetAttributes(&attributes, train_models<S>); e != cudaSuccess) return e;
  if (cudaError_t e = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks_per_processor, train_models<S>, kThreads, 0);
      e != cudaSuccess) {
    return e;
  }
  launch->blocks = std::min(processors * blocks_per_processor, (n_models + kWarpsPerBlock - 1) / kWarpsPerBlock);
  launch->threads_per_block = kThreads;
  launch->registers = attributes.numRegs;
  launch->local_bytes = static_cast<int>(attributes.localSizeBytes);
  launch->shared_bytes = static_cast<int>(attributes.sharedSizeBytes);
  return cudaSuccess;
}

struct Describe {
  int n_models;
  TinyLaunch* launch;
  cudaError_t error = cudaErrorInvalidValue;
  template <int n, int m, int E, bool top1>
  void operator()() {
    error = describe<StaticShape<n, m, E, top1>>(n_models, launch);
  }
};

struct Launch {
  const TinyLaunch& launch;
  const Job& job;
  cudaStream_t stream;
  cudaError_t error = cudaErrorInvalidValue;
  template <int n, int m, int E, bool top1>
  void operator()() {
    using S = StaticShape<n, m, E, top1>;
    error = cudaSuccess;
    if (launch.blocks == 0) return;
    train_models<S><<<launch.blocks, launch.threads_per_block, 0, stream>>>(job);
    error = cudaGetLastError();
  }
};

}  // namespace

template <int n>
cudaError_t launch_features(const Shape& shape, const TinyLaunch& launch, const Job& job, cudaStream_t stream) {
  Launch visit{launch, job, stream};
  visit_shape<n>(shape, visit);
  return visit.error;
}
template <int n>
cudaError_t describe_features(const Shape& shape, int n_models, TinyLaunch* launch) {
  Describe visit{n_models, launch};
  visit_shape<n>(shape, visit);
  return visit.error;
}
template cudaError_t launch_features<PHASEGRID_FEATURES>(const Shape&, const TinyLaunch&, const Job&, cudaStream_t);
template cudaError_t describe_features<PHASEGRID_FEATURES>(const Shape&, int, TinyLaunch*);

}  // namespace phasegrid::cuda
