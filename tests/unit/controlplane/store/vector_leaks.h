/* sqlite-vec 0.1.x leaks about a hundred bytes with each table it makes and each row it writes. The leak checker is told so,
 * about that library alone: it must stay loaded and stacks be unwound past SQLite for it to be recognised. */
#ifndef TESTS_VECTOR_LEAKS_H
#define TESTS_VECTOR_LEAKS_H

#include <dlfcn.h>

#define SANITIZER_HOOK __attribute__((visibility("default"), used))

SANITIZER_HOOK const char *__asan_default_options(void);
SANITIZER_HOOK const char *__lsan_default_suppressions(void);

const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void)
{
    return "leak:vec0.so\n";
}

/* Missing is fine: the tests that need it say so. */
static inline void keep_vector_loaded(const char *path)
{
    (void)dlopen(path, RTLD_NOW | RTLD_NODELETE);
}

#endif
