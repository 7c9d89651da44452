# Looks for nvcc: sets PHASEGRID_HAS_CUDA.
set(PHASEGRID_HAS_CUDA OFF)
if(NOT PHASEGRID_CUDA STREQUAL OFF)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # 90 also carries PTX, which newer GPUs compile when they load it
    if(SKBUILD)
      set(CMAKE_CUDA_ARCHITECTURES 80-virtual)  # the driver compiles it, once, for whatever GPU is there
    endif()
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    set(PHASEGRID_HAS_CUDA ON)
  elseif(PHASEGRID_CUDA STREQUAL ON)
    message(FATAL_ERROR "PHASEGRID_CUDA is ON, but no nvcc was found; put it on the PATH or set CUDACXX")
  else()
    message(STATUS "phasegrid: no nvcc found, so this build has no CUDA backend (CPU only)")
  endif()
endif()
set(CMAKE_CUDA_STANDARD 17)
# A spill in the training loop fails the build. Kernels call the constexpr functions of architecture.hpp, which names no CUDA.
set(PHASEGRID_CUDA_FLAGS -O3 -fmad=false --expt-relaxed-constexpr --Werror all-warnings -Xptxas --warn-on-spills,-Werror)
