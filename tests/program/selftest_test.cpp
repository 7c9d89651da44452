// The self test trains everything that is compiled, and sees one wrong bit.
#include "program/selftest.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace phasegrid {
namespace {

TEST(SelfTest, TrainsEveryTinyShapeAndEveryCornerUnderANameOfItsOwn) {
  const std::vector<Sweep> sweeps = selftest_sweeps();
  std::set<std::string> names;
  std::set<int> tiny;
  for (const Sweep& sweep : sweeps) {
    sweep.check();
    EXPECT_TRUE(names.insert(sweep.name).second) << sweep.name;
    const Shape& s = sweep.shape;
    if (s.n_features <= 4 && s.n_hidden <= 3 && s.n_experts <= 4) {
      tiny.insert(((s.n_features * 10 + s.n_hidden) * 10 + s.n_experts) * 2 + (s.top_k == 1 ? 1 : 0));
    }
  }
  EXPECT_EQ(tiny.size(), 84u);  // 12 of (n, m); of each E = 1, and E = 2, 3, 4 with k = 1 and k > 1
}

TEST(SelfTest, TheTrainingsTakeTheWaysTheyAreNamedFor) {
  bool diverged = false, stopped = false;
  for (const Sweep& sweep : selftest_sweeps()) {
    if (!sweep.name.ends_with("divergence") && !sweep.name.ends_with("drop_and_stop")) continue;
    const Results results = train(sweep);
    for (const std::int32_t status : results.status) diverged = diverged || status > 0;
    stopped = stopped || results.complete();
  }
  EXPECT_TRUE(diverged);
  EXPECT_TRUE(stopped);
}

TEST(SelfTest, SeesOneBitAndNamesWhere) {
  Sweep sweep = selftest_sweeps().front();
  const Results results = train(sweep);
  EXPECT_EQ(first_difference_in_bits(results, results), "");
  Results other = results;
  other.parameters[1] = std::nextafter(other.parameters[1], 1.0f);
  EXPECT_TRUE(first_difference_in_bits(results, other).starts_with("parameters[1]: "));
  other = results;
  other.status[0] = 3;
  EXPECT_EQ(first_difference_in_bits(results, other), "status[0]: 0 against 3");
  Results a = results, b = results;
  a.all_losses[0] = std::numeric_limits<float>::quiet_NaN();
  b.all_losses[0] = -std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_difference_in_bits(a, b), "");
  EXPECT_TRUE(first_difference_in_bits(a, results).starts_with("all_losses[0]: nan against"));
}

}  // namespace
}  // namespace phasegrid
