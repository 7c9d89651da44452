// phasegrid: trains thousands of tiny mixture-of-experts autoencoders at once and maps phase diagrams.
#pragma once

#include "phasegrid/constructions.hpp"
#include "phasegrid/error.hpp"
#include "phasegrid/merge.hpp"
#include "phasegrid/metrics.hpp"
#include "phasegrid/results.hpp"
#include "phasegrid/results_file.hpp"
#include "phasegrid/architecture.hpp"
#include "phasegrid/shard.hpp"
#include "phasegrid/sweep.hpp"
#include "phasegrid/sweep_file.hpp"
#include "phasegrid/train.hpp"
