# The training step, compiled once for every instruction set and number of features. -ffp-contract=off: a * b + c is
# fused where the source says fma and nowhere else, so that every machine gives the same bits.
# Their optimisation does not follow the build type: at -O2 they are as fast as at -O3.
set(PHASEGRID_FLAGS_baseline "")
set(PHASEGRID_FLAGS_avx2 -mavx2 -mfma)
set(PHASEGRID_FLAGS_avx512 -mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -mprefer-vector-width=512)
set(PHASEGRID_OPTIMISE_baseline -O1)  # its speed is that of an emulated fma
set(PHASEGRID_OPTIMISE_avx2 -O2)
set(PHASEGRID_OPTIMISE_avx512 -O2)
if(PHASEGRID_SANITIZE OR PHASEGRID_COVERAGE)
  foreach(machine avx512 avx2 baseline)
    set(PHASEGRID_OPTIMISE_${machine} $<IF:$<BOOL:${PHASEGRID_COVERAGE}>,-O0,-O1>)
  endforeach()
endif()
# A check of every pointer's alignment takes the compiler minutes on code that is unrolled like this; AddressSanitizer
# sees the same accesses. A kernel shares nothing with another thread but its stop flag, so ThreadSanitizer leaves it out
# (the emulated warp, which does share, is compiled with it).
set(PHASEGRID_KERNEL_SANITIZE "")
if(PHASEGRID_SANITIZE STREQUAL thread)
  set(PHASEGRID_KERNEL_SANITIZE -fno-sanitize=thread)
elseif(PHASEGRID_SANITIZE)
  # Checks as calls: written out, they take minutes to compile.
  set(PHASEGRID_KERNEL_SANITIZE -fno-sanitize=null,alignment,object-size
    $<$<CXX_COMPILER_ID:GNU>:SHELL:--param asan-instrumentation-with-call-threshold=0>)
endif()
set(PHASEGRID_KERNEL_FLAGS -ffp-contract=off -fno-math-errno -fno-trapping-math)
