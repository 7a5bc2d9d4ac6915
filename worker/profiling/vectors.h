/* How wide the vectors may be that the loops over every byte take, where the machine has them. */
#ifndef WORKER_PROFILING_VECTORS_H
#define WORKER_PROFILING_VECTORS_H

/* In bits. Tests build the few files that look at it with less, to see what runs on older machines. */
#ifndef NV_VECTOR_BITS
#define NV_VECTOR_BITS 512
#endif

#ifdef __x86_64__
#define NV_HAS_VECTORS(bits, feature) (NV_VECTOR_BITS >= (bits) && __builtin_cpu_supports(feature))
#endif

#endif
