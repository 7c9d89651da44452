/* phasegrid from C and whatever can call C: sweeps in TOML, training, results as arrays.
 *
 * Rules of this interface:
 * - Functions that can fail return a phasegrid_status; phasegrid_last_error() then is one sentence about it. No C++
 *   exception and no signal leaves the library.
 * - Objects are opaque and owned by the caller, who frees each with its _free function (NULL is allowed). What a
 *   failed call would have made is NULL.
 * - Memory that a function hands out (arrays, names, config) belongs to the object it was asked of and lives as long.
 *   Text is UTF-8, or ASCII where the library writes it, and ends with 0.
 * - An object may be used by several threads as long as none changes or frees it.
 * - A later library may add functions, array names and, at their end, members of phasegrid_train_options, whose `size`
 *   says which the caller knows. Nothing else of this header changes within a minor version (0.1). Enumerations are
 *   passed as int32_t. */
#ifndef PHASEGRID_PHASEGRID_H
#define PHASEGRID_PHASEGRID_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define PHASEGRID_API __attribute__((visibility("default")))
#else
#define PHASEGRID_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t phasegrid_status;
enum {
  PHASEGRID_OK = 0,
  PHASEGRID_FAILED = 1,    /* the machine's fault: no memory, a device that fails */
  PHASEGRID_BAD_INPUT = 2, /* the caller's: the sentence names the thing and what is allowed */
  PHASEGRID_STOPPED = 130  /* the progress callback asked for it; the results hold what was finished */
};

/* The sentence of this thread's last call that did not return PHASEGRID_OK; "" before. Lives until the next one. */
PHASEGRID_API const char* phasegrid_last_error(void);
PHASEGRID_API const char* phasegrid_version(void); /* "0.2.0" */

/* ---------------------------------------------------------------- sweeps */

typedef struct phasegrid_sweep phasegrid_sweep;

/* From the text of a sweep file (README, "Use"), or from a file. It must hold one sweep; `variant` names the one of a
 * file with [variants], `preset` a table under [presets]; NULL for none. */
PHASEGRID_API phasegrid_status phasegrid_sweep_parse(const char* toml, const char* preset, const char* variant,
                                                     phasegrid_sweep** sweep);
PHASEGRID_API phasegrid_status phasegrid_sweep_read(const char* path, const char* preset, const char* variant,
                                                    phasegrid_sweep** sweep);
/* Changes one setting as --set does: "train.steps=100", "axes.sparsity=[0.1, 0.5]". Where it fails the sweep stays as
 * it was. */
PHASEGRID_API phasegrid_status phasegrid_sweep_set(phasegrid_sweep* sweep, const char* change);
PHASEGRID_API void phasegrid_sweep_free(phasegrid_sweep* sweep);

/* ---------------------------------------------------------------- training */

typedef struct phasegrid_results phasegrid_results;

typedef struct phasegrid_progress {
  int64_t models_done, models_total; /* of all sweeps of the call; of the shard where there is one */
  double share_done;                 /* 0 .. 1, weighted by the work of each model */
  double seconds;                    /* since the call began */
} phasegrid_progress;

/* Called from the thread that called phasegrid_train, a few times a second and once at the end; not 0 asks to stop. It
 * must return: no longjmp, no exception. */
typedef int (*phasegrid_progress_callback)(const phasegrid_progress* progress, void* user);
/* One sentence about what does not end a training: fewer threads than were asked for. */
typedef void (*phasegrid_warning_callback)(const char* sentence, void* user);

enum { PHASEGRID_DEVICE_AUTO = 0, PHASEGRID_DEVICE_CPU = 1, PHASEGRID_DEVICE_CUDA = 2 };
enum { PHASEGRID_ISA_AUTO = 0, PHASEGRID_ISA_BASELINE = 1, PHASEGRID_ISA_AVX2 = 2, PHASEGRID_ISA_AVX512 = 3 };

typedef struct phasegrid_train_options {
  size_t size;             /* bytes of this struct as the caller knows it */
  int32_t device;          /* PHASEGRID_DEVICE_* */
  int32_t threads;         /* CPU threads; 0 is one a core */
  int32_t instruction_set; /* PHASEGRID_ISA_*; all give the same bits */
  int32_t shard_index;     /* trains share shard_index (1 .. shard_count) of the cells; 1 of 1 is everything */
  int32_t shard_count;
  int32_t reserved;                       /* 0 */
  phasegrid_progress_callback progress;   /* or NULL */
  void* user;                             /* handed to the callback */
  const phasegrid_results* const* resume; /* or NULL: [n_sweeps], what an earlier call left; not trained again */
  phasegrid_warning_callback warning;     /* or NULL */
} phasegrid_train_options;

/* Sets the defaults; `size` is sizeof(phasegrid_train_options). */
PHASEGRID_API phasegrid_status phasegrid_train_options_init(phasegrid_train_options* options, size_t size);

/* Trains every model of n_sweeps sweeps, in one queue (hundreds of sweeps of one cell are fine), and writes
 * results[0 .. n_sweeps - 1]. `options` may be NULL. Where it returns PHASEGRID_STOPPED there are results too. */
PHASEGRID_API phasegrid_status phasegrid_train(const phasegrid_sweep* const* sweeps, size_t n_sweeps,
                                               const phasegrid_train_options* options, phasegrid_results** results);

/* ---------------------------------------------------------------- results */

enum { PHASEGRID_FLOAT32 = 1, PHASEGRID_FLOAT64 = 2, PHASEGRID_INT32 = 3 };
enum { PHASEGRID_MOST_DIMENSIONS = 16 };

/* A view. Element (i, j, ..) stands strides[0] * i + strides[1] * j + .. bytes behind data: parameters of a model lie
 * together, so expert_weights, router_weights and biases are not one block each. */
typedef struct phasegrid_array {
  const void* data;
  int32_t type; /* PHASEGRID_FLOAT32 .. */
  int32_t n_dimensions;
  size_t extents[PHASEGRID_MOST_DIMENSIONS];
  ptrdiff_t strides[PHASEGRID_MOST_DIMENSIONS];
} phasegrid_array;

/* The i-th name that phasegrid_results_array knows of these results; NULL behind the last. They are the keys of the
 * .npz files: reconstruction_losses (how well the kept models do), final_losses (what training minimised: a mixture's
 * holds the load balance too), all_reconstruction_losses and all_losses of every restart, status, kept, expert_weights,
 * router_weights, biases, sparsity_values ..; with keep = "all" all_expert_weights, all_router_weights and all_biases of
 * every restart; with "training-state" those and first_moment_expert_weights .., second_moment_expert_weights .. of the
 * optimiser; with snapshots snapshot_steps, snapshot_reconstruction_losses, snapshot_losses, snapshot_expert_weights .. Where axes change the models' shape, arrays have the extents of the largest
 * and NaN where a model has no such expert or hidden unit; status is -2 where top_k is above n_experts. */
PHASEGRID_API const char* phasegrid_results_array_name(const phasegrid_results* results, size_t i);
PHASEGRID_API phasegrid_status phasegrid_results_array(const phasegrid_results* results, const char* name,
                                                       phasegrid_array* array);
/* Every setting, the version, the device and whether all models are trained, as JSON. */
PHASEGRID_API const char* phasegrid_results_config(const phasegrid_results* results);
/* 1 where every model of the sweep is trained, else 0. */
PHASEGRID_API int phasegrid_results_complete(const phasegrid_results* results);

enum { PHASEGRID_LAYOUT_PHASEGRID = 0, PHASEGRID_LAYOUT_AUTHORS = 1 };
PHASEGRID_API phasegrid_status phasegrid_results_save(const phasegrid_results* results, const char* path,
                                                      int32_t layout);
PHASEGRID_API phasegrid_status phasegrid_results_load(const char* path, phasegrid_results** results);
/* Puts shards of one sweep together, bit for bit what one run would have left. */
PHASEGRID_API phasegrid_status phasegrid_results_merge(const phasegrid_results* const* parts, size_t n_parts,
                                                       phasegrid_results** results);
PHASEGRID_API void phasegrid_results_free(phasegrid_results* results);

#ifdef __cplusplus
}
#endif

#endif
