// The two losses of a model on one batch.
#pragma once

namespace phasegrid {

// Reconstruction: the weighted squared error, sum over features of I_f (x'_f - x_f)^2, averaged as TrainSettings::loss
// says. It tells how well a model does: compare models by this one.
// Training: what is minimised, the reconstruction loss and, for a mixture (E > 1) with a load balance alpha, the term
// alpha E sum_e f_e mean(P_e), about alpha k. The authors' files hold this one.
// Both are NaN where there is no such batch, and not finite where training diverged.
struct Losses {
  float training;
  float reconstruction;
};

}  // namespace phasegrid
