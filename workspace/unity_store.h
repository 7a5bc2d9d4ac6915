/* Unity Catalog on disk: the layout is in kernel/java/…/UnityStore.java, which shares it. The folders are the truth, every
 * change is one rename, nothing is cached. Names are in stored form (ws_name_check). Threads: any. */
#ifndef NV_WORKSPACE_UNITY_STORE_H
#define NV_WORKSPACE_UNITY_STORE_H

#include "common/core/json.h"

typedef enum ws_securable_kind { WS_CATALOG, WS_SCHEMA, WS_VOLUME, WS_TABLE } ws_securable_kind_t;

/* "Catalog", "Schema", … */
const char *ws_securable_noun(ws_securable_kind_t kind);

typedef struct ws_full_name {
    ws_securable_kind_t kind;
    const char *parts[3];
    size_t count;
} ws_full_name_t;

/* "a.b.c" into as many parts as the kind has, each checked. */
bool ws_full_name_parse(nv_mem_t *mem, ws_securable_kind_t kind, const char *text, ws_full_name_t *out,
                        nv_error_t *err) NV_MUST_CHECK;
/* "a.b.c". */
const char *ws_full_name_text(nv_mem_t *mem, const ws_full_name_t *name);
/* "a.b" of "a.b.c". */
ws_full_name_t ws_full_name_parent(const ws_full_name_t *name);

/* Makes the folders of a workspace: main.default, and empties what was dropped or half uploaded. */
bool ws_unity_open(const char *root, nv_error_t *err) NV_MUST_CHECK;

/* Its folder (a table's data, for an external table its description file). */
const char *ws_unity_path(nv_mem_t *mem, const char *root, const ws_full_name_t *name);
bool ws_unity_exists(const char *root, const ws_full_name_t *name);
/* True for an external table or a view. */
bool ws_unity_is_external(const char *root, const ws_full_name_t *name);
/* What is written down about it; an empty object when nothing is. */
bool ws_unity_read(nv_mem_t *mem, const char *root, const ws_full_name_t *name, const nv_json_t **out,
                   nv_error_t *err) NV_MUST_CHECK;
/* Catalogs, schemas and volumes. created_at 0: now. properties may be NULL. */
bool ws_unity_write(nv_mem_t *mem, const char *root, const ws_full_name_t *name, const char *comment,
                    int64_t created_at, const nv_json_t *properties, nv_error_t *err) NV_MUST_CHECK;
/* An external table's description, as CatalogEntries.java writes it. */
bool ws_unity_write_external(nv_mem_t *mem, const char *root, const ws_full_name_t *name,
                             const char *document, nv_error_t *err) NV_MUST_CHECK;
/* Takes it out of the catalog. */
bool ws_unity_remove(nv_mem_t *mem, const char *root, const ws_full_name_t *name,
                     nv_error_t *err) NV_MUST_CHECK;

/* Sorted names of one kind below parent (NULL for catalogs). */
bool ws_unity_list(nv_mem_t *mem, const char *root, ws_securable_kind_t kind, const ws_full_name_t *parent,
                   const char ***out, size_t *count, nv_error_t *err) NV_MUST_CHECK;

#endif
