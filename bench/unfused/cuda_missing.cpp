// This benchmark in a build without CUDA.
#include <stdexcept>

#include "contestant.hpp"

namespace phasegrid::fused_moe {

std::string cuda_trouble() { return "this build has no CUDA backend"; }
std::string cuda_name() { throw std::logic_error(cuda_trouble()); }
double cuda_peak() { throw std::logic_error(cuda_trouble()); }
std::unique_ptr<Contestant> fused_on_cuda(const Problem&) { throw std::logic_error(cuda_trouble()); }
std::unique_ptr<Contestant> unfused_on_cuda(const Problem&, bool) { throw std::logic_error(cuda_trouble()); }

}  // namespace phasegrid::fused_moe
