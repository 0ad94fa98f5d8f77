// Compiles a function several times, for newer and older x86-64 processors; the loader picks one at start-up.
// So a portable binary uses AVX2 and FMA where they are. Helpers called inside must be KITH_INLINE, or they
// stay compiled for the oldest processor. Only results on different processors may differ (by fused rounding).
#pragma once

// The loader makes its choice before the sanitizers have started, and instrumented code would crash in it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define KITH_MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KITH_MULTIVERSION
#endif

#define KITH_INLINE inline __attribute__((always_inline))
