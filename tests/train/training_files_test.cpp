// The files of a training: whole or beside their place, never less than was there, and whose they are.
#include "train/training_files.hpp"

#include <memory>

#include "phasegrid/merge.hpp"
#include "support/test_results.hpp"

namespace phasegrid {
namespace {

namespace fs = std::filesystem;
using testing::Bytes;
using testing::expect_refusal;
using testing::expect_same;
using testing::full_sweep;
using testing::Model;
using testing::models_of;
using testing::read_bytes;
using testing::taken;
using testing::TemporaryFolder;
using testing::write_bytes;
using Names = std::vector<std::string>;

class TrainingFilesTest : public ::testing::Test {
 protected:
  // A training as the hosts see it.
  std::unique_ptr<TrainingFiles> start(const TrainingFilesOptions& options = {}, const std::string& name = "full") {
    Sweep sweep = sweep_;
    sweep.name = name;
    return std::make_unique<TrainingFiles>(std::vector{sweep}, std::vector{path_}, options);
  }
  Results some(std::size_t first, std::size_t last) const {
    return taken(sweep_, {models_.begin() + static_cast<long>(first), models_.begin() + static_cast<long>(last)});
  }
  Results whole() const { return some(0, models_.size()); }
  Results other() const {  // of another sweep
    Sweep sweep = sweep_;
    sweep.train.batch = 34;
    return taken(sweep, {models_.begin(), models_.begin() + 20});
  }
  Names names() const { return folder_.names(); }

  Sweep sweep_ = [] {
    Sweep sweep = full_sweep();
    sweep.name = "full";
    return sweep;
  }();
  std::vector<Model> models_ = models_of(sweep_, 21);  // 36
  TemporaryFolder folder_;
  std::string path_ = folder_.file("r.npz"), partial_ = folder_.file("r.npz.partial");
};

TEST_F(TrainingFilesTest, AppearWholeAndGoOnFromWhatIsFinished) {
  {
    const auto files = start();
    EXPECT_FALSE(files->finished(0));
    EXPECT_EQ(files->from(0), "");
    EXPECT_EQ(files->take_earlier()[0].models_done(), 0);
    files->save(std::vector{Results(sweep_)});
    EXPECT_EQ(files->place(0), "");
    EXPECT_FALSE(fs::exists(partial_));  // nothing is nothing to save
    files->save(std::vector{some(0, 5)});
    EXPECT_EQ(files->place(0), partial_);
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_EQ(names(), Names{"r.npz.partial"});
  {
    const auto files = start();
    EXPECT_EQ(files->from(0), partial_);
    expect_same(files->take_earlier()[0], some(0, 5));
    files->save(std::vector{whole()});
    EXPECT_EQ(names(), Names{"r.npz"});  // not only at the end
    EXPECT_TRUE(files->all_finished());
    EXPECT_EQ(files->place(0), path_);
  }
  expect_same(load_results(path_), whole());
}

TEST_F(TrainingFilesTest, OtherBitsOfTheSameSweepAreNeitherTakenNorLost) {
  for (const std::string& path : {path_, partial_}) {
    Results theirs = path == path_ ? whole() : some(0, 5);
    theirs.made_by = "9.8.7";
    theirs.bits = kBits + 1;
    save_results(theirs, path);
    const Bytes before = read_bytes(path);
    expect_refusal(path, "was made by phasegrid 9.8.7 (bits 3), whose numbers are others than those of this phasegrid",
                   [&] { start(); });
    EXPECT_EQ(read_bytes(path), before);
    start({.fresh = true})->save(std::vector{whole()});
    EXPECT_EQ(names(), Names{"r.npz"});
    EXPECT_EQ(load_results(path_).bits, kBits);
    fs::remove(path_);
  }
}

TEST_F(TrainingFilesTest, AFinishedFileIsKept) {
  save_results(whole(), path_);
  const Bytes before = read_bytes(path_);
  {
    const auto files = start();
    EXPECT_TRUE(files->all_finished());
    EXPECT_EQ(names(), Names{"r.npz"});  // and nothing reserved
    Results found = files->take_earlier()[0];
    expect_same(found, whole());
    found.device = "another";
    files->save(std::vector{found});
  }
  EXPECT_EQ(read_bytes(path_), before);
  // A training that was killed behind its last step.
  save_results(some(0, 30), partial_);
  write_bytes(folder_.file(".r.npz.partial.tmp-1-0123abcd"), {});
  write_bytes(folder_.file(".r.npz.tmp-1-0123abcd"), {});
  EXPECT_TRUE(start()->all_finished());
  EXPECT_EQ(names(), Names{"r.npz"});
  // Another one that trains it afresh, at this moment, keeps what it has.
  const auto fresh = start({.fresh = true});
  fresh->save(std::vector{some(0, 9)});
  EXPECT_TRUE(start()->all_finished());
  EXPECT_EQ(load_results(partial_).models_done(), 9);
  EXPECT_EQ(read_bytes(path_), before);
}

TEST_F(TrainingFilesTest, FreshTrainsAllAndReplacesAWholeFileByAWholeOne) {
  save_results(whole(), path_);
  save_results(some(0, 30), partial_);
  const Bytes before = read_bytes(path_);
  {
    const auto files = start({.fresh = true});
    EXPECT_FALSE(files->all_finished());
    EXPECT_EQ(files->take_earlier()[0].models_done(), 0);
    files->save(std::vector{Results(sweep_)});
    EXPECT_EQ(load_results(partial_).models_done(), 30);
    files->save(std::vector{some(0, 1)});
    EXPECT_EQ(files->place(0), partial_);
    EXPECT_EQ(read_bytes(path_), before);
    Results results = whole();
    results.device = "new";
    files->save(std::vector{results});
  }
  EXPECT_EQ(load_results(path_).device, "new");
  EXPECT_EQ(names(), Names{"r.npz"});
}

TEST_F(TrainingFilesTest, AnotherSweepsFileStaysUntilTheNewOneIsWhole) {
  const Results other_whole = [&] {
    Sweep sweep = sweep_;
    sweep.seed = 5;
    return taken(sweep, models_of(sweep, 3));
  }();
  for (const bool damaged : {false, true}) {
    save_results(other_whole, path_);
    Bytes before = read_bytes(path_);
    if (damaged) before.resize(500);
    write_bytes(path_, before);
    {
      const auto files = start();
      EXPECT_EQ(files->take_earlier()[0].models_done(), 0);
      files->save(std::vector{some(0, 35)});
      EXPECT_EQ(read_bytes(path_), before);
    }
    start()->save(std::vector{whole()});
    expect_same(load_results(path_), whole());
    EXPECT_EQ(names(), Names{"r.npz"});
  }
}

TEST_F(TrainingFilesTest, AnotherSweepsUnfinishedModelsAreNotReplacedUnasked) {
  save_results(other(), partial_);
  const Bytes before = read_bytes(partial_);
  expect_refusal(partial_, "holds 20 of 36 models of another sweep, whose train.batch is 34, not 33; finish",
                 [&] { start(); });
  expect_refusal(partial_, "or give fresh=True", [&] { start({.fresh_is = "fresh=True"}); });
  EXPECT_EQ(read_bytes(partial_), before);
  EXPECT_EQ(names(), Names{"r.npz.partial"});
  start({.fresh = true})->save(std::vector{some(0, 1)});
  EXPECT_EQ(load_results(partial_).models_done(), 1);
  // Nor is anything lost where that sweep's whole file is there, or without a model.
  const std::vector<Model> all = models_of(other().sweep, 4);
  save_results(taken(other().sweep, all), path_);
  save_results(taken(other().sweep, {all.begin(), all.begin() + 20}), partial_);
  start()->save(std::vector{some(0, 1)});
  EXPECT_EQ(load_results(partial_).models_done(), 1);
  fs::remove(path_);
  save_results(Results(other().sweep), partial_);
  start()->save(std::vector{some(0, 1)});
  EXPECT_EQ(load_results(partial_).models_done(), 1);
}

TEST_F(TrainingFilesTest, WhatIsNotOursIsRefusedAndStays) {
  const std::string advice = "this training would save there; move it away";
  auto refused = [&](const std::string& why) {
    for (const bool fresh : {false, true}) {
      expect_refusal(partial_, why, [&] { start({.fresh = fresh}); });
      expect_refusal(partial_, advice, [&] { start({.fresh = fresh}); });
    }
    EXPECT_EQ(names().size(), 1u);
    EXPECT_TRUE(fs::exists(fs::symlink_status(partial_)));
    fs::remove(partial_);
  };
  fs::create_directory(partial_);
  refused("is not a regular file");
  fs::create_symlink("nowhere", partial_);
  refused("is not a regular file");
  write_bytes(partial_, Bytes(100));
  refused("cannot be read as .npz");
  save_results(testing::taken(testing::two_axes(), {}), partial_, Layout::authors);
  refused("is in the authors' layout");
}

TEST_F(TrainingFilesTest, ModelsOfBothFilesCount) {
  save_results(some(0, 20), partial_);
  save_results(some(10, 36 - 1), path_);  // as `merge --partial` writes it
  {
    const auto files = start();
    EXPECT_EQ(files->from(0), partial_ + " and " + path_);
    const std::vector<Results> earlier = files->take_earlier();
    EXPECT_EQ(earlier[0].models_done(), 35);
    files->save(earlier);
  }
  expect_same(load_results(partial_), some(0, 35));
  expect_same(load_results(path_), some(10, 35));  // until it is replaced by all
  start()->save(std::vector{whole()});
  EXPECT_EQ(names(), Names{"r.npz"});
}

TEST_F(TrainingFilesTest, ARenamedSweepIsWrittenAgainNotTrained) {
  save_results(whole(), path_);
  const auto files = start({}, "renamed");
  EXPECT_FALSE(files->all_finished());
  const std::vector<Results> earlier = files->take_earlier();
  EXPECT_TRUE(earlier[0].complete());
  files->save(earlier);
  EXPECT_EQ(load_results(path_).sweep.name, "renamed");
}

TEST_F(TrainingFilesTest, TheAuthorsLayoutAppearsWholeAndDoesNotReplaceOurs) {
  sweep_ = testing::two_axes();
  sweep_.name = "full";
  models_ = models_of(sweep_, 22);
  const TrainingFilesOptions authors = {.layout = Layout::authors};
  start(authors)->save(std::vector{some(0, 3)});
  EXPECT_EQ(names(), Names{"r.npz.partial"});
  {
    const auto files = start(authors);
    EXPECT_EQ(files->take_earlier()[0].models_done(), 3);
    files->save(std::vector{whole()});
  }
  EXPECT_EQ(names(), Names{"r.npz"});
  EXPECT_FALSE(start(authors)->all_finished());  // theirs does not say of which sweep it is
  save_results(whole(), path_);
  expect_refusal(path_, "of which the authors' would keep a part", [&] { start(authors); });
  EXPECT_TRUE(load_results(path_).complete());
}

TEST_F(TrainingFilesTest, AShardIsWholeWithItsOwnCells) {
  const Shard half = {.index = 1, .count = 2};
  const std::vector<bool> mine = shard_cells(std::vector{sweep_}, half)[0];
  std::vector<Model> own;
  for (const Model& model : models_) {
    if (mine[model.cell]) own.push_back(model);
  }
  ASSERT_LT(own.size(), models_.size());
  const Results all = taken(sweep_, own);
  own.pop_back();
  start({.shard = half})->save(std::vector{taken(sweep_, own)});
  EXPECT_EQ(names(), Names{"r.npz.partial"});
  start({.shard = half})->save(std::vector{all});
  EXPECT_EQ(names(), Names{"r.npz"});
  EXPECT_TRUE(start({.shard = half})->all_finished());
  EXPECT_FALSE(start()->all_finished());
  EXPECT_FALSE(start({.shard = {.index = 2, .count = 2}})->all_finished());
}

TEST_F(TrainingFilesTest, EachSweepIsSavedThoughAnotherCannotBe) {
  const std::string stuck = folder_.file("stuck.npz");
  TrainingFiles files({sweep_, sweep_}, {stuck, path_});
  fs::create_directory(stuck);
  expect_refusal(stuck, "cannot be written", [&] { files.save(std::vector{whole(), whole()}); });
  EXPECT_TRUE(load_results(path_).complete());
  EXPECT_TRUE(load_results(stuck + ".partial").complete());  // not lost
  fs::remove(stuck);
  files.save(std::vector{whole(), whole()});
  EXPECT_EQ(names(), (Names{"r.npz", "stuck.npz"}));
}

TEST_F(TrainingFilesTest, OneTrainingAtATime) {
  const auto first = start();
  expect_refusal(path_, "another training is writing this file", [&] { start(); });
  first->close();
  EXPECT_EQ(names(), Names{});
  start()->save(std::vector{whole()});
  expect_refusal(path_, "another training is writing this file", [&] {
    TrainingFiles({sweep_, sweep_}, {path_ + "2", path_ + "2"});
  });
}

TEST_F(TrainingFilesTest, BehindALinkAllIsWhereItLeads) {
  fs::create_directory(folder_.file("far"));
  fs::create_symlink("far/target.npz", path_);
  {
    const auto files = start();
    files->save(std::vector{some(0, 4)});
    EXPECT_EQ(files->place(0), folder_.file("far/target.npz.partial"));
  }
  EXPECT_EQ(partial_path(path_), folder_.file("far/target.npz.partial"));
  start()->save(std::vector{whole()});
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_TRUE(load_results(path_).complete());
  EXPECT_EQ(names(), (Names{"far", "r.npz"}));
}

TEST_F(TrainingFilesTest, AReaderOfWhatIsNotThereYetHearsOfWhatIs) {
  save_results(some(0, 4), partial_);
  expect_refusal(path_, "what an interrupted training finished is in " + partial_, [&] { load_results(path_); });
  expect_same(load_results(partial_), some(0, 4));
}

}  // namespace
}  // namespace phasegrid
