// Results made by hand, of the sweeps that `phasegrid reproduce` trains, and what its reports say of them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "phasegrid/phasegrid.hpp"
#include "random_models.hpp"
#include "program/reproduce/figures.hpp"
#include "program/reproduce/report.hpp"

namespace phasegrid::testing {

inline std::string experiment(const std::string& name) {
  return std::string(PHASEGRID_SOURCE_DIR "/experiments/") + name;
}

inline const reproduce::Json& published() {
  static const reproduce::Json kPublished = reproduce::load_json(experiment("published.json"));
  return kPublished;
}

// Fills one model of a cell and returns its loss, of both kinds.
using Maker = std::function<float(OwnedModel& model, std::size_t cell)>;

// Adds results of one sweep, all of its models made by hand; a snapshot holds the model itself.
inline void add_results(reproduce::Trained& trained, const Sweep& sweep, const Maker& make) {
  Results results(sweep);
  results.device = "by hand";
  const std::size_t T = sweep.train.snapshots.size();
  for (std::size_t cell = 0; cell < results.cells(); ++cell) {
    OwnedModel model(sweep.shape);
    const float loss = make(model, cell);
    std::vector<float> snapshots;
    for (std::size_t t = 0; t < T; ++t)
      snapshots.insert(snapshots.end(), model.parameters.begin(), model.parameters.end());
    for (int restart = 0; restart < sweep.restarts; ++restart) {
      results.take(cell, restart, {loss, loss}, kTrained, model.parameters, std::vector<Losses>(T, {loss, loss}),
                   snapshots);
    }
  }
  trained.insert_or_assign(sweep.name, results);
}

// The sweeps of an experiment, with changes.
inline std::vector<Sweep> sweeps_of(const std::string& file, const std::vector<std::string>& set) {
  SweepFileOptions options;
  options.set = set;
  return read_sweeps(experiment(file + ".toml"), options);
}

inline Sweep sweep_of(const std::string& file, const std::string& variant, const std::vector<std::string>& set) {
  SweepFileOptions options;
  options.set = set;
  options.variant = variant;
  return read_sweep(experiment(file + ".toml"), options);
}

// The one verdict whose claim holds all the words.
inline const reproduce::Verdict& verdict_on(const reproduce::Report& report, const std::vector<std::string>& words) {
  static const reproduce::Verdict kNone{};
  const reproduce::Verdict* found = nullptr;
  for (const reproduce::Verdict& verdict : report.verdicts) {
    bool all = true;
    for (const std::string& word : words) all = all && verdict.claim.find(word) != std::string::npos;
    if (!all) continue;
    EXPECT_EQ(found, nullptr) << "two claims: " << verdict.claim;
    found = &verdict;
  }
  EXPECT_NE(found, nullptr) << "no claim with " << words.front();
  return found != nullptr ? *found : kNone;
}

// Of a report that ends with the statement: a copy.
inline reproduce::Verdict verdict_on(reproduce::Report&& report, const std::vector<std::string>& words) {
  return verdict_on(std::as_const(report), words);
}

inline reproduce::Ruling ruling_on(const reproduce::Report& report, const std::vector<std::string>& words) {
  return verdict_on(report, words).ruling;
}

}  // namespace phasegrid::testing
