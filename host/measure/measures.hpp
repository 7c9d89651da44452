// The table of measures of one kept model. What offers measures loops over it: the binding, `Results` in Python,
// to_xarray, pictures and the table in the README. A new measure is a function and a row of measures.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "phasegrid/metrics.hpp"

namespace phasegrid {

// What a measure can be asked for, with its defaults; a row names those that it listens to.
struct MeasureOptions {
  int samples = 4096;  // inputs or directions that are drawn
  std::uint64_t seed = 0;
  Inputs inputs = Inputs::nonzero;
  bool divide_by_k = true;
  double threshold = 0.2;
  double least_norm = 0;
};

// The extents of what one model gives: E or n.
enum class Extent { expert, feature };
std::size_t extent_of(const Shape& shape, Extent extent);

struct Measure {
  const char* name;                  // the method of Results
  std::vector<const char*> results;  // what it gives, each an array of `extents`
  std::vector<Extent> extents;
  bool needs_inputs;                 // inputs of the cell's own sparsity, `samples` of them
  std::vector<const char*> options;  // names of MeasureOptions
  bool in_float32;                   // handed over as float32, as the weights are
  const char* documentation;         // one line
  const char* source;
  // Fills the results, each a row of NaN. `inputs` [samples][n] is empty where none are needed.
  void (*measure)(const ModelView& model, std::span<const float> inputs, const MeasureOptions& options,
                  std::span<const std::span<double>> results);

  std::size_t size(const Shape& shape) const;  // numbers in one result
};

// Throws InputError unless so many inputs or directions may be drawn.
void check_samples(int samples);

std::span<const Measure> measures();
// Throws InputError where there is none of that name.
const Measure& measure_named(const std::string& name);

// [result][cell][extents], float64; NaN where no model was kept.
std::vector<std::vector<double>> measure_cells(const Measure& measure, const Results& results,
                                               const MeasureOptions& options);

}  // namespace phasegrid
