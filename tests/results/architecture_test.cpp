// What a model is: the parts of its parameters, which mapping serves it, and the tile of a dense one.
#include "phasegrid/architecture.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "block/layout.hpp"
#include "tiny/tiny.hpp"
#include "train/instruction_sets.hpp"

namespace phasegrid {
namespace {

TEST(Architecture, PartsFollowEachOtherWithoutGaps) {
  Architecture untied{7, 5, 9, 4}, plain{7, 5, 9, 4};
  untied.tied = plain.tied = plain.bias = false;
  for (const Architecture& model : {Architecture{3, 1, 2, 1}, Architecture{20, 6, 1, 1}, untied, plain}) {
    int next = 0;
    std::vector<std::string> names;
    for (const Part& part : model.parts()) {
      EXPECT_EQ(part.offset, next);
      int size = 1;
      for (int i = 0; i < part.rank; ++i) size *= part.extents[i];
      EXPECT_EQ(part.size(), size);
      EXPECT_EQ(part.decays, part.kind == PartKind::weights || part.kind == PartKind::decoder);
      next = part.end();
      names.emplace_back(part.name);
    }
    EXPECT_EQ(next, model.parameter_count());
    std::vector<std::string> expected = {"expert_weights"};
    if (!model.tied) expected.push_back("decoder_weights");
    if (model.bias) expected.push_back("biases");
    expected.push_back("router_weights");
    EXPECT_EQ(names, expected);
  }
}

// The authors' Xavier over a three-dimensional tensor: std W = sqrt(2 / (m (n + E))), std b = std G = sqrt(2 / (n +
// E)).
TEST(Architecture, FansAreTheAuthors) {
  constexpr Architecture model{20, 6, 10, 2};
  constexpr Part weights = model.part(PartKind::weights), router = model.part(PartKind::router);
  EXPECT_EQ((weights.fan_in + weights.fan_out) * weights.field, 6 * (20 + 10));
  EXPECT_EQ((router.fan_in + router.fan_out) * router.field, 20 + 10);
}

TEST(Tiny, ServesWhatItIsCompiledForAndNothingElse) {
  for (int n = 1; n <= kMaxTinyFeatures + 1; ++n) {
    for (int m = 1; m <= kMaxTinyHidden + 1; ++m) {
      for (int E = 1; E <= kMaxTinyExperts + 1; ++E) {
        for (int k : {1, E}) {
          const Shape shape{n, m, E, k};
          const bool served = n <= kMaxTinyFeatures && m <= kMaxTinyHidden && E <= kMaxTinyExperts;
          EXPECT_EQ(serves_tiny(shape), served);
          EXPECT_FALSE(serves_tiny(shape, false));
          if (served) {
            EXPECT_NE(tiny_kernels(shape, InstructionSet::baseline).train, nullptr);
          } else {
            EXPECT_THROW(tiny_kernels(shape, InstructionSet::baseline), std::logic_error);
          }
        }
      }
    }
  }
}

TEST(DenseTile, FollowsFromTheShapeAlone) {
  EXPECT_EQ(dense_tile({100, 20, 1, 1}, 4096), kDenseTile);  // the paper's largest
  EXPECT_EQ(dense_tile({116, 20, 1, 1}, 4096), kDenseTile);
  EXPECT_EQ(dense_tile({118, 20, 1, 1}, 4096), 64);  // a draw is two rows
  EXPECT_EQ(dense_tile({120, 20, 1, 1}, 4096), 96);
  EXPECT_EQ(dense_tile({160, 60, 1, 1}, 4096), 32);
  EXPECT_EQ(dense_tile({256, 64, 1, 1}, 4096), kDenseTile);  // no tile fits: a GPU has it in device memory
  EXPECT_EQ(dense_tile({251, 64, 1, 1}, 4096), kDenseTile);  // a draw is four rows: there is no smaller one
  EXPECT_EQ(dense_tile({100, 20, 1, 1}, 40), 64);            // the batch is no larger
}

}  // namespace
}  // namespace phasegrid
