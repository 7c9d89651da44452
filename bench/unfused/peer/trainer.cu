#include "cuda_machine.cuh"
#include "parameters.hpp"
#include "trainer.hpp"

namespace phasegrid::unfused {
namespace {

struct Stream {
  Stream() { PEER_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking)); }
  ~Stream() { (void)cudaStreamDestroy(stream); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t stream = nullptr;
};

// Device memory that lives as long as its owner.
class Memory {
 public:
  Memory() = default;
  ~Memory() {
    for (void* block : blocks_) (void)cudaFree(block);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* operator()(size_t bytes) {
    void* block = nullptr;
    PEER_CHECK(cudaMalloc(&block, bytes == 0 ? 1 : bytes));
    blocks_.push_back(block);
    return block;
  }
  const float* copy_of(const std::vector<float>& from) {
    float* block = static_cast<float*>((*this)(from.size() * sizeof(float)));
    PEER_CHECK(cudaMemcpy(block, from.data(), from.size() * sizeof(float), cudaMemcpyHostToDevice));
    return block;
  }

 private:
  std::vector<void*> blocks_;
};

class Event {
 public:
  Event() { PEER_CHECK(cudaEventCreate(&event_)); }
  ~Event() { (void)cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(cudaStream_t stream) { PEER_CHECK(cudaEventRecord(event_, stream)); }
  float milliseconds_since(const Event& start) const {
    PEER_CHECK(cudaEventSynchronize(event_));
    float milliseconds = 0;
    PEER_CHECK(cudaEventElapsedTime(&milliseconds, start.event_, event_));
    return milliseconds;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

// What `body` queues on a stream, to be replayed.
class Graph {
 public:
  template <class Body>
  Graph(cudaStream_t stream, Body&& body) {
    PEER_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cudaGraph_t graph = nullptr;
    try {
      body();
    } catch (...) {
      (void)cudaStreamEndCapture(stream, &graph);
      if (graph != nullptr) (void)cudaGraphDestroy(graph);
      throw;
    }
    PEER_CHECK(cudaStreamEndCapture(stream, &graph));
    const cudaError_t error = cudaGraphInstantiate(&graph_, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(error, "cudaGraphInstantiate");
  }
  ~Graph() { (void)cudaGraphExecDestroy(graph_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(cudaStream_t stream) const { PEER_CHECK(cudaGraphLaunch(graph_, stream)); }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

struct Trainer::Device {
  Device(const Settings& from, bool tf32)
      : settings(from), sizes(sizes_of(from)), arrays(arrays_in(sizes, memory)), machine(sizes, tf32, stream.stream) {
    arrays.density = memory.copy_of(settings.density);
    arrays.importance = memory.copy_of(settings.importance);
    set_up(machine, sizes, arrays);
    pipeline.reset(new Pipeline<CudaMachine>(machine, sizes, arrays));
    // Once outside a graph: cuBLAS and CUB load their kernels at first use.
    draw_and_measure();
    pipeline->backward();
    PEER_CHECK(cudaStreamSynchronize(stream.stream));
    step.reset(new Graph(stream.stream, [this] { pipeline->step(); }));
    forward.reset(new Graph(stream.stream, [this] { draw_and_measure(); }));
  }

  void draw_and_measure() {
    pipeline->draw();
    pipeline->forward();
    pipeline->loss();
  }

  float replay(const Graph& graph, int count) {
    Event start, end;
    start.record(stream.stream);
    for (int i = 0; i < count; ++i) graph.launch(stream.stream);
    end.record(stream.stream);
    return end.milliseconds_since(start);
  }

  std::vector<float> copy_back(const float* from, int count) const {
    std::vector<float> to(static_cast<size_t>(count));
    PEER_CHECK(cudaStreamSynchronize(stream.stream));
    PEER_CHECK(cudaMemcpy(to.data(), from, to.size() * sizeof(float), cudaMemcpyDeviceToHost));
    return to;
  }

  Settings settings;
  Sizes sizes;
  Stream stream;
  Memory memory;
  Arrays arrays;
  CudaMachine machine;
  std::unique_ptr<Pipeline<CudaMachine>> pipeline;
  std::unique_ptr<Graph> step, forward;
};

Trainer::Trainer(const Settings& settings, bool tf32) : device_(new Device(settings, tf32)) {}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;

void Trainer::set_parameters(const std::vector<float>& parameters) {
  const std::vector<float> ours = to_peer(device_->settings.shape, device_->sizes.models, parameters);
  PEER_CHECK(cudaStreamSynchronize(device_->stream.stream));
  PEER_CHECK(cudaMemcpy(device_->arrays.parameters, ours.data(), ours.size() * sizeof(float), cudaMemcpyHostToDevice));
}

std::vector<float> Trainer::parameters() const {
  return from_peer(device_->settings.shape, device_->sizes.models,
                   device_->copy_back(device_->arrays.parameters, device_->sizes.parameters));
}

float Trainer::steps(int count) { return device_->replay(*device_->step, count); }
float Trainer::forwards(int count) { return device_->replay(*device_->forward, count); }

std::vector<float> Trainer::losses() {
  device_->draw_and_measure();
  return device_->copy_back(device_->arrays.loss, device_->sizes.models);
}

Trainer::Gradient Trainer::gradient(const std::vector<float>& inputs) {
  Device& d = *device_;
  PEER_CHECK(cudaMemcpyAsync(d.arrays.x, inputs.data(), inputs.size() * sizeof(float), cudaMemcpyHostToDevice,
                             d.stream.stream));
  d.pipeline->forward();
  d.pipeline->loss();
  Gradient result;
  result.losses = d.copy_back(d.arrays.loss, d.sizes.models);
  d.pipeline->backward();
  result.gradient = from_peer(d.settings.shape, d.sizes.models, d.copy_back(d.arrays.gradient, d.sizes.parameters));
  return result;
}

std::string gpu_problem() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) {
    return std::string("no usable NVIDIA GPU or driver on this machine (") + cudaGetErrorString(error) + ")";
  }
  return devices > 0 ? "" : "this machine has no NVIDIA GPU";
}

}  // namespace phasegrid::unfused
