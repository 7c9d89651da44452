/* The C interface: trains a strip of the phase diagram and prints it.
 * gcc -std=c99 phases.c $(pkg-config --cflags --libs phasegrid) -o phases */
#include <stdio.h>

#include "phasegrid/phasegrid.h"

static const char* kSweep =
    "name = \"strip\"\n"
    "restarts = 5\n"
    "model = { n_features = 2, n_hidden = 1, n_experts = 2, top_k = 1 }\n"
    "train = { steps = 500, batch = 256 }\n"
    "axes = { sparsity = { start = 0.1, stop = 0.9, step = 0.2 } }\n";

static int show_progress(const phasegrid_progress* progress, void* user) {
  fprintf((FILE*)user, "%lld of %lld models\n", (long long)progress->models_done, (long long)progress->models_total);
  return 0; /* anything else stops */
}

static int complain(void) {
  fprintf(stderr, "phases: %s\n", phasegrid_last_error());
  return 1;
}

int main(void) {
  phasegrid_sweep* sweep = NULL;
  phasegrid_results* results = NULL;
  phasegrid_train_options options;
  phasegrid_array sparsities, losses;
  const phasegrid_sweep* sweeps[1];
  size_t i;
  if (phasegrid_sweep_parse(kSweep, NULL, NULL, &sweep) != PHASEGRID_OK) return complain();
  if (phasegrid_sweep_set(sweep, "data.last_importance=0.8") != PHASEGRID_OK) return complain();
  phasegrid_train_options_init(&options, sizeof options);
  options.progress = show_progress;
  options.user = stderr;
  sweeps[0] = sweep;
  if (phasegrid_train(sweeps, 1, &options, &results) != PHASEGRID_OK) return complain();
  phasegrid_results_array(results, "sparsity_values", &sparsities);
  phasegrid_results_array(results, "reconstruction_losses", &losses);
  for (i = 0; i < losses.extents[0]; ++i) {
    const float loss = *(const float*)((const char*)losses.data + (ptrdiff_t)i * losses.strides[0]);
    printf("S %.1f  loss %.4f\n", ((const double*)sparsities.data)[i], loss);
  }
  phasegrid_results_free(results);
  phasegrid_sweep_free(sweep);
  return 0;
}
