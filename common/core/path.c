#include "common/core/path.h"

#include <string.h>

size_t nv_path_trimmed(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return n;
}

char *nv_path_base(nv_mem_t *ctx, const char *path)
{
    size_t n = nv_path_trimmed(path), start = n;
    if (n == 1 && path[0] == '/')
        return nv_strdup(ctx, "");
    while (start > 0 && path[start - 1] != '/')
        start--;
    return nv_strndup(ctx, path + start, n - start);
}
