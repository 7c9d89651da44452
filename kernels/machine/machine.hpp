// The one place that knows which machine the kernels are compiled for. All code of kernels/ stands in namespace
// phasegrid::PHASEGRID_MACHINE, so that builds for several instruction sets link into one program without sharing an
// inline function (the linker would keep one copy, and an AVX-512 copy kills an older CPU).
//
// Every machine header defines the same vocabulary over 32 logical lanes, kWidth of which fit a register:
//   Floats, Mask, Words            one float, bool or 32-bit word a lane
//   Wide, Product                  a 32-bit word a lane in the layout that 32x32->64-bit products want
//   fma, select, keep, fma_if ...  lane-wise operations with exactly rounded results
//   Team                           who works on one model: groups of lanes, sums over all 32, barriers
// README.md beside this file says what each must do.
#pragma once

#include <stdint.h>

#include "lanes.hpp"

#if defined(__CUDACC__)
#define PG_INLINE __device__ __forceinline__
#define PG_UNROLL _Pragma("unroll")
#define PG_NO_UNROLL _Pragma("unroll 1")
#define PG_INLINE_LAMBDA
#define PG_STAGE __device__ __forceinline__
#elif defined(PHASEGRID_COUNTING)  // a count is the same in code that is short to compile
#define PG_INLINE inline
#define PG_UNROLL
#define PG_NO_UNROLL
#define PG_INLINE_LAMBDA
#define PG_STAGE inline
#else
#define PG_INLINE [[gnu::always_inline]] inline
#define PG_STAGE [[gnu::noinline]]  // a loop over a batch: long to compile, called once a step
#define PG_UNROLL _Pragma("GCC unroll 128")
#define PG_NO_UNROLL _Pragma("GCC unroll 1")
#define PG_INLINE_LAMBDA __attribute__((always_inline))
#endif

#if defined(PHASEGRID_COUNTING)
#include "counting.hpp"
#elif defined(__CUDACC__) || defined(PHASEGRID_EMULATE_WARP)
#include "cuda.hpp"
#elif defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BW__)
#include "avx512.hpp"
#elif defined(__AVX2__) && defined(__FMA__)
#include "avx2.hpp"
#else
#include "baseline.hpp"
#endif

namespace phasegrid::PHASEGRID_MACHINE {

// Stands for a mask of which every lane is set, at no cost.
struct AllLanes {};
PG_INLINE Mask both(AllLanes, Mask b) { return b; }
PG_INLINE Floats keep(AllLanes, Floats a) { return a; }
PG_INLINE Floats add_if(AllLanes, Floats a, Floats sum) { return sum + a; }
PG_INLINE Floats fma_if(AllLanes, Floats a, Floats b, Floats c) { return fma(a, b, c); }

// Words that all lanes share, under the names that Philox uses for words of a lane.
PG_INLINE uint64_t multiply(uint32_t a, uint32_t b) { return static_cast<uint64_t>(a) * b; }
PG_INLINE uint32_t high(uint64_t product) { return static_cast<uint32_t>(product >> 32); }
PG_INLINE uint32_t low(uint64_t product) { return static_cast<uint32_t>(product); }
PG_INLINE uint32_t xor3(uint32_t a, uint32_t b, uint32_t c) { return a ^ b ^ c; }
PG_INLINE uint32_t pack(uint32_t a) { return a; }
PG_INLINE uint32_t pack_high(uint64_t product) { return high(product); }
PG_INLINE uint32_t pack_low(uint64_t product) { return low(product); }

}  // namespace phasegrid::PHASEGRID_MACHINE
