// Hints: what a mistaken name was meant to be, in sweep files and --set.
#include "text/near_names.hpp"

#include <gtest/gtest.h>

#include "sweep/settings.hpp"
#include "support/sweep_text.hpp"

namespace phasegrid {
namespace {

using namespace testing;

TEST(NearNames, TheFieldsOtherWordsAndSlipsOfThePen) {
  const std::pair<const char*, const char*> cases[] = {
      {"lr", "train.learning_rate"},
      {"LR", "train.learning_rate"},
      {"epochs", "train.steps"},
      {"hidden", "model.hidden"},
      {"batch_size", "train.batch"},
      {"batch-size", "train.batch"},
      {"alpha", "train.load_balance"},
      {"experts", "model.n_experts"},
      {"router_init", "init.router"},
      {"stesp", "train.steps"},
      {"leraning_rate", "train.learning_rate"},
      {"n_feature", "model.n_features"},
      {"model.learning_rate", "train.learning_rate"},
      {"sparcity", "data.sparsity"},
      {"spars", "data.sparsity"},
      {"restart", "restarts"},
      {"sede", "seed"},
      {"colour", ""},
      {"x", ""},
      {"", ""},
      {"optimizer", "train.optimizer"},
      {"a.b.", ""},
  };
  for (const auto& [word, meant] : cases) EXPECT_EQ(nearest_name(word, setting_keys()), meant) << word;
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), setting_keys()), "");
  const std::string_view options[] = {"--out", "--threads", "--checkpoint-seconds"};
  EXPECT_EQ(nearest_name("--ou", options), "--out");
  EXPECT_EQ(nearest_name("--n_jobs", options), "--threads");
  EXPECT_EQ(did_you_mean("--checkpoint_second", options), "; did you mean --checkpoint-seconds");
  EXPECT_EQ(did_you_mean("--quiet", options), "");
}

TEST(NearNames, EveryKeyIsNearestToItself) {
  for (const std::string_view key : setting_keys()) {
    const std::string_view table = key.substr(0, key.find('.'));
    if (table == key) continue;
    EXPECT_EQ(nearest_name(key, keys_of_table(table)), key.substr(table.size() + 1));
  }
}

TEST(UnknownKey, SaysWhatWasMeant) {
  const std::pair<const char*, const char*> cases[] = {
      {"train.lr", "unknown key 'train.lr'; did you mean train.learning_rate; [train] may hold "},
      {"train.epochs", "did you mean train.steps;"},
      {"train.batch_size", "did you mean train.batch;"},
      {"model.n_hiden", "did you mean model.n_hidden;"},
      {"train.n_hidden", "did you mean model.n_hidden;"},  // of another table
      {"lr", "did you mean train.learning_rate; a sweep file may hold "},
      {"trian", "did you mean train;"},
      {"axes.lr", "did you mean axes.learning_rate;"},
      {"axes.n_features", "; model.n_features cannot be an axis; [axes] may hold "},
      {"axes.router", "; init.router cannot be an axis;"},
  };
  for (const auto& [key, hint] : cases) {
    expect_sentence(refusal(std::string(key) + " = [1]\nname = \"x\"\n"), {":1: unknown key '", hint});
    expect_sentence(set_refusal(std::string(key) + "=[1]"), {"--set ", hint});
  }
  EXPECT_EQ(set_refusal("train.optimizer=1").find("did you mean"), std::string::npos);
}

TEST(AList, WhereNoneMayStandIsToldWhereItBelongs) {
  const std::string variants = "not a list; it cannot be an axis: give each value a [variants.NAME] table";
  for (const char* key :
       {"train.drop_factor", "model.n_features", "restarts", "train.stop_below", "train.keep", "init.bias"}) {
    expect_sentence(set_refusal(std::string(key) + "=[1, 2]"), {key, variants});
  }
  for (const char* key : {"train.steps", "train.learning_rate", "data.last_importance", "model.n_experts", "seed"}) {
    expect_sentence(set_refusal(std::string(key) + "=[1, 2]"),
                    {key, "not a list; a list of values stands under [axes]"});
  }
  EXPECT_EQ(set_refusal("axes.steps=[[1]]").find("; "), std::string::npos);
}

TEST(Features, MustBeGiven) {
  const std::string sentence =
      ": model.n_features must be given: a whole number from 1 to 1024 (n_hidden, n_experts and";
  for (const std::string text : {"data.sparsity = 0.5\n", "data.sparsity = 0.5\nmodel.n_hidden = 2\n"}) {
    expect_sentence(refusal(text), {kOrigin + sentence});
    expect_sentence(refusal(text, {{"model.n_hidden=3"}, "paper"}), {kOrigin + sentence});
    EXPECT_EQ(parse(text, {{"model.n_features=3"}, "paper"}).shape.n_features, 3);
    EXPECT_EQ(parse(text + "[variants.a]\nmodel.n_features = 4\n").shape.n_features, 4);
  }
}

}  // namespace
}  // namespace phasegrid
