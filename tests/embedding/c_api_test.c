/* The C interface from C99: what a program in another language relies on, and every refusal. Usage: c_api_test FOLDER
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phasegrid/phasegrid.h"

static int failures = 0;
#define CHECK(condition)                                                                              \
  do {                                                                                                \
    if (!(condition)) {                                                                               \
      printf("%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, phasegrid_last_error()); \
      ++failures;                                                                                     \
    }                                                                                                 \
  } while (0)

static void check_refused(int line, phasegrid_status status, const char* part) {
  if (status != PHASEGRID_BAD_INPUT || strstr(phasegrid_last_error(), part) == NULL ||
      strchr(phasegrid_last_error(), '\n') != NULL) {
    printf("line %d: status %d, '%s' where '%s' was expected\n", line, (int)status, phasegrid_last_error(), part);
    ++failures;
  }
}
#define REFUSED(call, part) check_refused(__LINE__, (call), (part))

static const char* kToml =
    "restarts = 2\n[model]\nn_features = 3\nn_hidden = 2\nn_experts = 2\n[train]\nsteps = 40\nbatch = 64\n"
    "snapshots = [0, 10]\n[axes]\nsparsity = [0.1, 0.5, 0.9]\nlast_importance = [0.5, 1.5]\nseed = [0, 3]\n";

static float at(const phasegrid_array* a, size_t i, size_t j, size_t k, size_t l, size_t m, size_t n) {
  const size_t index[6] = {i, j, k, l, m, n};
  const char* place = (const char*)a->data;
  int d;
  float value;
  for (d = 0; d < a->n_dimensions; ++d) place += (ptrdiff_t)index[d] * a->strides[d];
  memcpy(&value, place, sizeof value);
  return value;
}

static int same_array(const phasegrid_results* a, const phasegrid_results* b, const char* name) {
  phasegrid_array left, right;
  size_t bytes = 4;
  int d;
  if (phasegrid_results_array(a, name, &left) != 0 || phasegrid_results_array(b, name, &right) != 0) return 0;
  for (d = 0; d < left.n_dimensions; ++d) bytes *= left.extents[d];
  return left.strides[0] == right.strides[0] && memcmp(left.data, right.data, bytes) == 0;
}

struct calls {
  int count, stop_after;
  phasegrid_progress last;
};
static int count_calls(const phasegrid_progress* progress, void* user) {
  struct calls* calls = (struct calls*)user;
  calls->last = *progress;
  return ++calls->count >= calls->stop_after;
}

static phasegrid_sweep* sweep_of(const char* change) {
  phasegrid_sweep* sweep = NULL;
  CHECK(phasegrid_sweep_parse(kToml, NULL, NULL, &sweep) == PHASEGRID_OK);
  if (change != NULL) CHECK(phasegrid_sweep_set(sweep, change) == PHASEGRID_OK);
  return sweep;
}

static phasegrid_results* train_one(const phasegrid_sweep* sweep, int shard_index, int shard_count) {
  phasegrid_results* results = NULL;
  phasegrid_train_options options;
  CHECK(phasegrid_train_options_init(&options, sizeof options) == PHASEGRID_OK);
  options.device = PHASEGRID_DEVICE_CPU;
  options.threads = 2;
  options.shard_index = shard_index;
  options.shard_count = shard_count;
  CHECK(phasegrid_train(&sweep, 1, &options, &results) == PHASEGRID_OK);
  return results;
}

static void test_every_restart(void) {
  phasegrid_sweep* sweep = sweep_of("train.keep=\"all\"");
  phasegrid_results* results = train_one(sweep, 1, 1);
  phasegrid_array every, kept, which;
  CHECK(phasegrid_results_array(results, "all_expert_weights", &every) == PHASEGRID_OK);
  CHECK(phasegrid_results_array(results, "expert_weights", &kept) == PHASEGRID_OK);
  CHECK(phasegrid_results_array(results, "kept", &which) == PHASEGRID_OK);
  CHECK(every.n_dimensions == 7 && every.extents[3] == 2 && every.extents[6] == 2);
  if (failures == 0) { /* the first cell's kept model is one of its restarts */
    const size_t restart = (size_t)((const int32_t*)which.data)[0];
    const char* row = (const char*)every.data + restart * (size_t)every.strides[3];
    CHECK(memcmp(row, kept.data, 2 * 3 * 2 * sizeof(float)) == 0);
    CHECK(memcmp((const char*)every.data + (1 - restart) * (size_t)every.strides[3], kept.data, 4) != 0);
  }
  CHECK(phasegrid_results_array(results, "all_router_weights", &every) == PHASEGRID_OK && every.n_dimensions == 6);
  CHECK(phasegrid_results_array(results, "all_biases", &every) == PHASEGRID_OK && every.n_dimensions == 6);
  phasegrid_results_free(results);
  phasegrid_sweep_free(sweep);
}

static void test_arrays(const phasegrid_results* results) {
  static const char* const kNames[] = {"sparsity_values",
                                       "importance_values",
                                       "seed_values",
                                       "final_losses",
                                       "reconstruction_losses",
                                       "expert_weights",
                                       "biases",
                                       "router_weights",
                                       "all_losses",
                                       "all_reconstruction_losses",
                                       "status",
                                       "kept",
                                       "snapshot_steps",
                                       "snapshot_losses",
                                       "snapshot_reconstruction_losses",
                                       "snapshot_expert_weights",
                                       "snapshot_biases",
                                       "snapshot_router_weights"};
  size_t i, n = 0;
  phasegrid_array array, losses;
  while (phasegrid_results_array_name(results, n) != NULL) ++n;
  CHECK(n == sizeof kNames / sizeof kNames[0]);
  for (i = 0; i < n; ++i) {
    CHECK(strcmp(phasegrid_results_array_name(results, i), kNames[i]) == 0);
    CHECK(phasegrid_results_array(results, kNames[i], &array) == PHASEGRID_OK && array.data != NULL);
  }
  CHECK(phasegrid_results_array(results, "sparsity_values", &array) == PHASEGRID_OK);
  CHECK(array.type == PHASEGRID_FLOAT64 && array.n_dimensions == 1 && array.extents[0] == 3);
  CHECK(((const double*)array.data)[2] == 0.9);
  CHECK(phasegrid_results_array(results, "expert_weights", &array) == PHASEGRID_OK);
  CHECK(array.type == PHASEGRID_FLOAT32 && array.n_dimensions == 6);
  CHECK(array.extents[0] == 3 && array.extents[1] == 2 && array.extents[2] == 2);
  CHECK(array.extents[3] == 2 && array.extents[4] == 3 && array.extents[5] == 2);
  /* 24 parameters a model: 12 weights, 6 biases, 6 of the router */
  CHECK(array.strides[5] == 4 && array.strides[4] == 8 && array.strides[3] == 24 && array.strides[2] == 96);
  CHECK(isfinite(at(&array, 2, 1, 1, 1, 2, 1)));
  CHECK(phasegrid_results_array(results, "biases", &losses) == PHASEGRID_OK);
  CHECK((const char*)losses.data - (const char*)array.data == 48 && losses.strides[2] == 96);
  CHECK(phasegrid_results_array(results, "router_weights", &losses) == PHASEGRID_OK);
  CHECK((const char*)losses.data - (const char*)array.data == 72 && losses.n_dimensions == 5);
  CHECK(phasegrid_results_array(results, "snapshot_expert_weights", &array) == PHASEGRID_OK);
  CHECK(array.n_dimensions == 7 && array.extents[3] == 2 && array.strides[2] == 192 && array.strides[3] == 96);
  CHECK(phasegrid_results_array(results, "final_losses", &losses) == PHASEGRID_OK);
  CHECK(losses.n_dimensions == 3 && at(&losses, 0, 0, 0, 0, 0, 0) > 0);
  CHECK(strstr(phasegrid_results_config(results), "\"steps\":40") != NULL);
  REFUSED(phasegrid_results_array(results, "colour", &array), "name must be one of sparsity_values, ");
  CHECK(array.data == NULL);
  REFUSED(phasegrid_results_array(results, NULL, &array), "name must not be NULL");
  REFUSED(phasegrid_results_array(NULL, "kept", &array), "results must not be NULL");
  REFUSED(phasegrid_results_array(results, "kept", NULL), "array must not be NULL");
}

static void test_shards_and_files(const phasegrid_sweep* sweep, const phasegrid_results* whole, const char* folder) {
  phasegrid_results *parts[2], *merged = NULL, *loaded = NULL, *refused = NULL;
  const phasegrid_results* two[2];
  char path[4096];
  parts[0] = train_one(sweep, 1, 2);
  parts[1] = train_one(sweep, 2, 2);
  two[0] = parts[0];
  two[1] = parts[1];
  CHECK(!phasegrid_results_complete(parts[0]));
  CHECK(phasegrid_results_merge(two, 2, &merged) == PHASEGRID_OK);
  CHECK(phasegrid_results_complete(merged) && same_array(merged, whole, "final_losses"));
  CHECK(same_array(merged, whole, "snapshot_losses"));
  snprintf(path, sizeof path, "%s/c_api_test.npz", folder);
  CHECK(phasegrid_results_save(merged, path, PHASEGRID_LAYOUT_PHASEGRID) == PHASEGRID_OK);
  CHECK(phasegrid_results_load(path, &loaded) == PHASEGRID_OK);
  CHECK(same_array(loaded, whole, "final_losses") && same_array(loaded, whole, "kept"));
  remove(path);
  REFUSED(phasegrid_results_load(path, &refused), "c_api_test.npz");
  REFUSED(phasegrid_results_save(merged, path, 2), "layout must be from 0 to 1");
  REFUSED(phasegrid_results_save(merged, path, PHASEGRID_LAYOUT_AUTHORS), "layout authors");
  REFUSED(phasegrid_results_save(merged, "/nowhere/a.npz", 0), "/nowhere/a.npz");
  REFUSED(phasegrid_results_save(merged, NULL, 0), "path must not be NULL");
  REFUSED(phasegrid_results_merge(two, 0, &refused), "at least one part");
  REFUSED(phasegrid_results_merge(NULL, 2, &refused), "parts must not be NULL");
  CHECK(refused == NULL);
  phasegrid_results_free(parts[0]);
  phasegrid_results_free(parts[1]);
  phasegrid_results_free(merged);
  phasegrid_results_free(loaded);
}

static void test_stop_and_resume(void) {
  phasegrid_sweep* sweep = sweep_of("restarts=100");
  phasegrid_results *first = NULL, *rest = NULL, *whole = NULL;
  const phasegrid_sweep* sweeps = sweep;
  const phasegrid_results* earlier;
  struct calls calls = {0, 1, {0, 0, 0, 0}};
  phasegrid_train_options options;
  CHECK(phasegrid_sweep_set(sweep, "train.steps=2000") == PHASEGRID_OK);
  phasegrid_train_options_init(&options, sizeof options);
  options.device = PHASEGRID_DEVICE_CPU;
  options.progress = count_calls;
  options.user = &calls;
  CHECK(phasegrid_train(&sweeps, 1, &options, &first) == PHASEGRID_STOPPED);
  CHECK(first != NULL && !phasegrid_results_complete(first));
  CHECK(calls.last.models_total == 1200 && calls.last.models_done < 1200);
  earlier = first;
  options.resume = &earlier;
  calls.stop_after = 1 << 30;
  CHECK(phasegrid_train(&sweeps, 1, &options, &rest) == PHASEGRID_OK);
  CHECK(calls.last.models_done == 1200 && calls.last.share_done == 1.0);
  options.resume = NULL;
  CHECK(phasegrid_train(&sweeps, 1, &options, &whole) == PHASEGRID_OK);
  CHECK(same_array(rest, whole, "all_losses") && same_array(rest, whole, "kept"));
  phasegrid_results_free(first);
  phasegrid_results_free(rest);
  phasegrid_results_free(whole);
  phasegrid_sweep_free(sweep);
}

static void test_many_sweeps(void) {
  enum { kSweeps = 50 };
  phasegrid_sweep* sweeps[kSweeps];
  phasegrid_results* results[kSweeps];
  phasegrid_array losses;
  float first = 0, last = 0;
  char change[64];
  int i;
  for (i = 0; i < kSweeps; ++i) {
    snprintf(change, sizeof change, "seed=%d", i);
    sweeps[i] = sweep_of(change);
  }
  CHECK(phasegrid_train((const phasegrid_sweep* const*)sweeps, kSweeps, NULL, results) == PHASEGRID_OK);
  for (i = 0; i < kSweeps; ++i) {
    CHECK(phasegrid_results_array(results[i], "final_losses", &losses) == PHASEGRID_OK);
    if (i == 0) first = at(&losses, 0, 0, 0, 0, 0, 0);
    last = at(&losses, 0, 0, 0, 0, 0, 0);
    phasegrid_results_free(results[i]);
    phasegrid_sweep_free(sweeps[i]);
  }
  CHECK(first != last);
  CHECK(phasegrid_train(NULL, 0, NULL, NULL) == PHASEGRID_OK);
}

static void test_refusals(const phasegrid_sweep* sweep) {
  phasegrid_sweep* refused = NULL;
  phasegrid_results* results = NULL;
  const phasegrid_sweep* none = NULL;
  const phasegrid_results* no_results = NULL;
  phasegrid_train_options options;
  REFUSED(phasegrid_sweep_parse("[model\n", NULL, NULL, &refused), "TOML");
  REFUSED(phasegrid_sweep_parse("colour = 3\n", NULL, NULL, &refused), "colour");
  REFUSED(phasegrid_sweep_parse(kToml, "slow", NULL, &refused), "slow");
  REFUSED(phasegrid_sweep_parse(kToml, NULL, "odd", &refused), "odd");
  REFUSED(phasegrid_sweep_parse(NULL, NULL, NULL, &refused), "toml must not be NULL");
  REFUSED(phasegrid_sweep_parse(kToml, NULL, NULL, NULL), "sweep must not be NULL");
  REFUSED(phasegrid_sweep_read("/nowhere/a.toml", NULL, NULL, &refused), "/nowhere/a.toml");
  CHECK(refused == NULL);
  REFUSED(phasegrid_sweep_set((phasegrid_sweep*)sweep, "train.batch=0"), "train.batch");
  REFUSED(phasegrid_sweep_set((phasegrid_sweep*)sweep, "train.batch"), "PATH=TOML-VALUE");
  REFUSED(phasegrid_sweep_set((phasegrid_sweep*)sweep, NULL), "change must not be NULL");
  REFUSED(phasegrid_sweep_set(NULL, "seed=1"), "sweep must not be NULL");
  REFUSED(phasegrid_train(&none, 1, NULL, &results), "sweeps[0] must not be NULL");
  REFUSED(phasegrid_train(&sweep, 1, NULL, NULL), "results must not be NULL");
  REFUSED(phasegrid_train_options_init(NULL, sizeof options), "options must not be NULL");
  REFUSED(phasegrid_train_options_init(&options, 3), "size must be sizeof");
  memset(&options, 0, sizeof options);
  REFUSED(phasegrid_train(&sweep, 1, &options, &results), "options.size must be sizeof");
#define WITH(member, value, part)                         \
  phasegrid_train_options_init(&options, sizeof options); \
  options.member = value;                                 \
  REFUSED(phasegrid_train(&sweep, 1, &options, &results), part)
  WITH(device, 7, "options.device must be from 0 to 2, not 7");
  WITH(instruction_set, -1, "options.instruction_set");
  WITH(threads, -1, "threads must be");
  WITH(shard_index, 0, "no shard 0");
  WITH(shard_count, 0, "number of shards");
  WITH(resume, &no_results, "options.resume must not be NULL");
  CHECK(results == NULL);
  /* A caller that was compiled when the struct was shorter: the rest has its defaults. */
  phasegrid_train_options_init(&options, offsetof(phasegrid_train_options, progress));
  options.resume = (const phasegrid_results* const*)&options; /* not to be looked at */
  CHECK(phasegrid_train(&sweep, 1, &options, &results) == PHASEGRID_OK);
  phasegrid_results_free(results);
  phasegrid_results_free(NULL);
  phasegrid_sweep_free(NULL);
  CHECK(phasegrid_results_array_name(NULL, 0) == NULL && !phasegrid_results_complete(NULL));
  CHECK(strcmp(phasegrid_results_config(NULL), "") == 0);
}

int main(int argc, char** argv) {
  phasegrid_sweep* sweep = NULL;
  phasegrid_results* results = NULL;
  if (argc != 2) return 2;
  CHECK(strcmp(phasegrid_last_error(), "") == 0);
  CHECK(strncmp(phasegrid_version(), "0.", 2) == 0);
  sweep = sweep_of(NULL);
  results = train_one(sweep, 1, 1);
  CHECK(phasegrid_results_complete(results));
  test_arrays(results);
  test_every_restart();
  test_shards_and_files(sweep, results, argv[1]);
  test_stop_and_resume();
  test_many_sweeps();
  test_refusals(sweep);
  phasegrid_results_free(results);
  phasegrid_sweep_free(sweep);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
