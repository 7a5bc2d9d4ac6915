#include "controlplane/store/statements.h"

#include <assert.h>

static const struct {
    const char *name;
    const char *sql;
} statements[] = {
#define X(name, sql) {#name, sql},
    DB_STATEMENTS(X)
#undef X
};

const char *db_statement_name(db_statement_t id)
{
    assert(id < DB_STATEMENT_COUNT);
    return statements[id].name;
}

const char *db_statement_sql(db_statement_t id)
{
    assert(id < DB_STATEMENT_COUNT);
    return statements[id].sql;
}
