// The pipeline on the CPU with plain loops: what tests execute where there is no GPU. Not for speed.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "pipeline.hpp"
#include "storage.hpp"

namespace phasegrid::unfused {

class HostMachine {
 public:
  template <class Body>
  void for_each(int count, Body body) {
    for (int i = 0; i < count; ++i) body(i);
  }

  void multiply(int batch, int rows, int columns, int inner, Matrix A, Matrix B, float beta, Matrix C) {
    for (int b = 0; b < batch; ++b) {
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < columns; ++c) {
          float sum = 0.0f;
          for (int i = 0; i < inner; ++i) sum += at(A, b, r, i) * at(B, b, i, c);
          float& out = at(C, b, r, c);
          out = beta == 0.0f ? sum : beta * out + sum;
        }
      }
    }
  }

  void sort(const uint32_t* keys, uint32_t* sorted_keys, const int32_t* values, int32_t* sorted_values, int count,
            int) {
    std::vector<int> order(static_cast<std::size_t>(count));
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, {}, [&](int i) { return keys[i]; });
    for (int i = 0; i < count; ++i) {
      sorted_keys[i] = keys[order[static_cast<std::size_t>(i)]];
      sorted_values[i] = values[order[static_cast<std::size_t>(i)]];
    }
  }

  void exclusive_sum(const int32_t* from, int32_t* to, int count) { std::exclusive_scan(from, from + count, to, 0); }

  void sum_segments(const float* from, float* to, int segments, int size) {
    for (int s = 0; s < segments; ++s) to[s] = std::accumulate(from + s * size, from + (s + 1) * size, 0.0f);
  }

  template <class T>
  void fill(T* to, int byte, int count) {
    std::memset(to, byte, static_cast<std::size_t>(count) * sizeof(T));
  }

 private:
  static float& at(const Matrix& matrix, int b, int row, int column) {
    float* data = matrix.pointers != nullptr ? matrix.pointers[b] : matrix.data + b * matrix.stride;
    return matrix.transposed ? data[column * matrix.leading + row] : data[row * matrix.leading + column];
  }
};

// Owns the arrays of a pipeline.
class HostMemory {
 public:
  explicit HostMemory(const Settings& settings) : settings_(settings) {
    sizes = sizes_of(settings_);
    arrays = arrays_in(sizes, [this](std::size_t bytes) {
      blocks_.push_back(std::make_unique<std::byte[]>(bytes));
      std::memset(blocks_.back().get(), 0xff, bytes);  // NaN: what nobody writes shows
      return static_cast<void*>(blocks_.back().get());
    });
    arrays.density = settings_.density.data();
    arrays.importance = settings_.importance.data();
    HostMachine machine;
    set_up(machine, sizes, arrays);
  }
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  Sizes sizes;
  Arrays arrays;

 private:
  Settings settings_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

}  // namespace phasegrid::unfused
