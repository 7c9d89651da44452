# What a build may be asked for.

# Within another project (add_subdirectory) only the library is built, unless asked for more.
option(PHASEGRID_PROGRAM "Build the program, and what rests on it: tests, benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(PHASEGRID_TESTS "Build the tests" ON)
option(PHASEGRID_BENCH "Build the benchmarks" ON)
option(PHASEGRID_INSTALL "Install library, headers, program and package" ${PROJECT_IS_TOP_LEVEL})
option(PHASEGRID_PYTHON_MODULE "Build phasegrid._core, the compiled part of the Python package" OFF)
option(BUILD_SHARED_LIBS "Build libphasegrid as a shared library" OFF)

# pip builds for the machine it runs on, as `make build` and `make fig4` do: for the best of its instruction sets, and
# CUDA where it has a GPU. (A wheel for other machines says what it wants: `make wheel`.)
set(PHASEGRID_BY_PIP OFF)
if(SKBUILD)
  set(PHASEGRID_BY_PIP ON)
endif()
option(PHASEGRID_HERE "Build for this machine alone, where PHASEGRID_MACHINES and PHASEGRID_CUDA are not given"
       ${PHASEGRID_BY_PIP})
set(PHASEGRID_DEFAULT_MACHINES avx512 avx2)
set(PHASEGRID_DEFAULT_CUDA AUTO)
set(PHASEGRID_GPU_HERE OFF)
if(PHASEGRID_HERE AND EXISTS /proc/cpuinfo)
  file(READ /proc/cpuinfo PHASEGRID_THIS_CPU)
  if(PHASEGRID_THIS_CPU MATCHES " avx512vl ")
    set(PHASEGRID_DEFAULT_MACHINES avx512)
  elseif(PHASEGRID_THIS_CPU MATCHES " avx2 ")
    set(PHASEGRID_DEFAULT_MACHINES avx2)
  endif()
  if(EXISTS /proc/driver/nvidia OR EXISTS /dev/dxg)
    set(PHASEGRID_GPU_HERE ON)
  else()
    set(PHASEGRID_DEFAULT_CUDA OFF)
  endif()
endif()
set(PHASEGRID_MACHINES ${PHASEGRID_DEFAULT_MACHINES} CACHE STRING "CPU instruction sets to build beside the baseline")
set(PHASEGRID_CUDA ${PHASEGRID_DEFAULT_CUDA} CACHE STRING "CUDA backend: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE PHASEGRID_CUDA PROPERTY STRINGS AUTO ON OFF)
set(PHASEGRID_KERNELS_FROM "" CACHE PATH
  "Another build of this source, whose CPU kernels are linked: to sanitize all but them without compiling them again")

option(PHASEGRID_COVERAGE "Instrument for gcov" OFF)
set(PHASEGRID_SANITIZE "" CACHE STRING "Sanitizers for everything compiled by the C++ compiler, e.g. address,undefined")
if(PHASEGRID_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${PHASEGRID_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${PHASEGRID_SANITIZE})
endif()
if(PHASEGRID_COVERAGE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:--coverage>)
  add_link_options(--coverage)
endif()
