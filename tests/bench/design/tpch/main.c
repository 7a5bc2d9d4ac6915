/* design_tpch OUT [SCALE]: writes eight CSV files shaped like TPC-H (tables, columns, cardinalities, foreign keys of the specification,
 * revision 3.0.1, section 1.4) and their truth.json. The values are not dbgen's: names are short, texts are made of a few words; it is the
 * shape that discovery is measured on. Scale 1 is about 0.9 GB. Deterministic. */
#include "common/core/error.h"

#include <duckdb.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const words = "['furiously','final','deposits','carefully','regular','accounts','quickly',"
                                 "'ironic','requests','bold','pending','packages']";

typedef struct table {
    const char *name, *select; /* %.6f = scale */
} table_t;

#define WORD(seed) "list_extract(w, 1 + (hash(" seed ") % 12)::INT)"

static const table_t tables[] = {
    {"region", "SELECT i AS r_regionkey, list_extract(['AFRICA','AMERICA','ASIA','EUROPE','MIDDLE EAST'], (i "
               "+ 1)::INT) AS r_name, " WORD("i") " AS r_comment FROM range(5) t(i), s"},
    {"nation", "SELECT i AS n_nationkey, 'NATION ' || i AS n_name, i % 5 AS n_regionkey, " WORD(
                   "i + 7") " AS n_comment FROM range(25) t(i), s"},
    {"supplier",
     "SELECT i + 1 AS s_suppkey, printf('Supplier#%%09d', i + 1) AS s_name, 'addr ' || hash(i + 9000001) % "
     "100000 AS s_address, hash(i + 3) % 25 AS s_nationkey, "
     "printf('%%d-%%03d-%%04d', 10 + hash(i + 9000001) % 25, hash(i + 9000002) % 1000, hash(i + 9000003) % "
     "10000) AS s_phone, ((hash(i) % 1100000)::BIGINT - 100000) / 100.0 AS s_acctbal, " WORD(
         "i") " || ' ' || " WORD("i + 1") " AS s_comment FROM range((10000 * %.6f)::BIGINT) t(i), s"},
    {"customer", "SELECT i + 1 AS c_custkey, printf('Customer#%%09d', i + 1) AS c_name, 'addr ' || hash(i) % "
                 "100000 AS c_address, hash(i + 5) % 25 AS c_nationkey, "
                 "printf('%%d-%%03d-%%04d', 10 + hash(i) % 25, hash(i + 1) % 1000, hash(i + 2) % 10000) AS "
                 "c_phone, ((hash(i) % 1100000)::BIGINT - 100000) / 100.0 AS c_acctbal, "
                 "list_extract(['AUTOMOBILE','BUILDING','FURNITURE','HOUSEHOLD','MACHINERY'], 1 + (hash(i) % "
                 "5)::INT) AS c_mktsegment, " WORD("i") " || ' ' || " WORD(
                     "i + 1") " AS c_comment FROM range((150000 * %.6f)::BIGINT) t(i), s"},
    {"part",
     "SELECT i + 1 AS p_partkey, " WORD("i") " || ' ' || " WORD(
         "i + 1") " || ' ' || i AS p_name, 'Manufacturer#' || (1 + hash(i) % 5) AS p_mfgr, 'Brand#' || (11 + "
                  "hash(i) % 45) AS p_brand, " WORD("i + 2") " AS p_type, 1 + hash(i) % 50 AS p_size, "
                                                             "list_extract(['SM CASE','LG BOX','MED "
                                                             "BAG','JUMBO JAR'], 1 + (hash(i) % 4)::INT) AS "
                                                             "p_container, "
                                                             "(90000 + (i % 20001) + 100 * (i % 1000)) / "
                                                             "100.0 AS p_retailprice, " WORD(
                                                                 "i + 4") " AS p_comment FROM range((200000 "
                                                                          "* %.6f)::BIGINT) t(i), s"},
    {"partsupp",
     "SELECT p + 1 AS ps_partkey, 1 + (p + k * (n // 4 + 1)) % n AS ps_suppkey, 1 + hash(p * 4 + k) % 9999 "
     "AS ps_availqty, (100 + hash(p + k) % 99900) / 100.0 AS ps_supplycost, " WORD(
         "p * 4 + k") " || ' ' || " WORD("p + k + 1") " AS ps_comment FROM range((200000 * %.6f)::BIGINT) "
                                                      "t(p), range(4) u(k), s, (SELECT greatest(4, (10000 * "
                                                      "%.6f)::BIGINT) AS n) v"},
    {"orders",
     "SELECT (i // 8) * 32 + i % 8 + 1 AS o_orderkey, 1 + (hash(i) % ((150000 * %.6f)::BIGINT // 3)) * 3 AS "
     "o_custkey, list_extract(['F','O','P'], 1 + (hash(i) % 3)::INT) AS o_orderstatus, "
     "(85000 + hash(i) % 50000000) / 100.0 AS o_totalprice, DATE '1992-01-01' + (hash(i + 9) % 2406)::INT AS "
     "o_orderdate, list_extract(['1-URGENT','2-HIGH','3-MEDIUM','4-NOT SPECIFIED','5-LOW'], 1 + (hash(i) % "
     "5)::INT) AS o_orderpriority, "
     "printf('Clerk#%%09d', 1 + hash(i) % 1000) AS o_clerk, 0 AS o_shippriority, " WORD(
         "i") " || ' ' || " WORD("i + 1") " || ' ' || " WORD("i + 2") " AS o_comment FROM range((1500000 * "
                                                                      "%.6f)::BIGINT) t(i), s"},
    {"lineitem",
     "SELECT (i // 8) * 32 + i % 8 + 1 AS l_orderkey, 1 + hash(i * 8 + k) % (200000 * %.6f)::BIGINT AS "
     "l_partkey, "
     "1 + ((hash(i * 8 + k) % (200000 * %.6f)::BIGINT)::BIGINT + (k % 4) * (n // 4 + 1)) % n AS l_suppkey, k "
     "+ 1 AS l_linenumber, 1 + hash(i + k) % 50 AS l_quantity, "
     "(90000 + hash(i * 8 + k) % 9500000) / 100.0 AS l_extendedprice, (hash(i + k + 1) % 11) / 100.0 AS "
     "l_discount, (hash(i + k + 2) % 9) / 100.0 AS l_tax, "
     "list_extract(['A','N','R'], 1 + (hash(i + k) % 3)::INT) AS l_returnflag, list_extract(['F','O'], 1 + "
     "(hash(i + k) % 2)::INT) AS l_linestatus, "
     "DATE '1992-01-02' + (hash(i + k) % 2500)::INT AS l_shipdate, DATE '1992-01-31' + (hash(i + k + 3) % "
     "2450)::INT AS l_commitdate, DATE '1992-01-03' + (hash(i + k) % 2520)::INT AS l_receiptdate, "
     "list_extract(['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN'], 1 + (hash(i + k) % "
     "4)::INT) AS l_shipinstruct, "
     "list_extract(['AIR','MAIL','RAIL','SHIP','TRUCK','FOB','REG AIR'], 1 + (hash(i * 3 + k) % 7)::INT) AS "
     "l_shipmode, " WORD("i + k") " || ' ' || " WORD("i * 2 + k") " || ' ' || " WORD(
         "i * 3 + k") " AS l_comment "
                      "FROM range((1500000 * %.6f)::BIGINT) t(i), range(7) u(k), s, (SELECT greatest(4, "
                      "(10000 * %.6f)::BIGINT) AS n) v WHERE k <= hash(i) % 7"},
};

static const char *const truth =
    "{\"name\": \"tpch\", \"tables\": ["
    "{\"name\": \"region\", \"primary_key\": [\"r_regionkey\"], \"alternate_keys\": [[\"r_name\"]], "
    "\"role\": \"dimension\"}, {\"name\": \"nation\", \"primary_key\": [\"n_nationkey\"], \"role\": "
    "\"dimension\"}, "
    "{\"name\": \"supplier\", \"primary_key\": [\"s_suppkey\"], \"role\": \"dimension\"}, {\"name\": "
    "\"customer\", \"primary_key\": [\"c_custkey\"], \"role\": \"dimension\"}, "
    "{\"name\": \"part\", \"primary_key\": [\"p_partkey\"], \"role\": \"dimension\"}, {\"name\": "
    "\"partsupp\", \"primary_key\": [\"ps_partkey\", \"ps_suppkey\"], \"role\": \"fact\", \"role_also\": "
    "[\"bridge\"]}, "
    "{\"name\": \"orders\", \"primary_key\": [\"o_orderkey\"], \"role\": \"fact\"}, {\"name\": \"lineitem\", "
    "\"primary_key\": [\"l_orderkey\", \"l_linenumber\"], \"role\": \"fact\"}],\n"
    "\"foreign_keys\": [{\"from\": \"nation\", \"columns\": [\"n_regionkey\"], \"to\": \"region\", "
    "\"to_columns\": [\"r_regionkey\"]}, "
    "{\"from\": \"supplier\", \"columns\": [\"s_nationkey\"], \"to\": \"nation\", \"to_columns\": "
    "[\"n_nationkey\"]}, {\"from\": \"customer\", \"columns\": [\"c_nationkey\"], \"to\": \"nation\", "
    "\"to_columns\": [\"n_nationkey\"]}, "
    "{\"from\": \"partsupp\", \"columns\": [\"ps_partkey\"], \"to\": \"part\", \"to_columns\": "
    "[\"p_partkey\"]}, {\"from\": \"partsupp\", \"columns\": [\"ps_suppkey\"], \"to\": \"supplier\", "
    "\"to_columns\": [\"s_suppkey\"]}, "
    "{\"from\": \"orders\", \"columns\": [\"o_custkey\"], \"to\": \"customer\", \"to_columns\": "
    "[\"c_custkey\"]}, {\"from\": \"lineitem\", \"columns\": [\"l_orderkey\"], \"to\": \"orders\", "
    "\"to_columns\": [\"o_orderkey\"]}, "
    "{\"from\": \"lineitem\", \"columns\": [\"l_partkey\", \"l_suppkey\"], \"to\": \"partsupp\", "
    "\"to_columns\": [\"ps_partkey\", \"ps_suppkey\"]}],\n"
    "\"optional_foreign_keys\": [{\"from\": \"lineitem\", \"columns\": [\"l_partkey\"], \"to\": \"part\", "
    "\"to_columns\": [\"p_partkey\"]}, {\"from\": \"lineitem\", \"columns\": [\"l_suppkey\"], \"to\": "
    "\"supplier\", \"to_columns\": [\"s_suppkey\"]}]}\n";

/* Puts the scale where the SELECT says %.6f, and %% back to %. */
static void fill_in(const char *select, double scale, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = select; *p != '\0' && n + 32 < size;) {
        if (strncmp(p, "%.6f", 4) == 0) {
            n += (size_t)snprintf(out + n, size - n, "%.6f", scale);
            p += 4;
        } else {
            p += strncmp(p, "%%", 2) == 0;
            out[n++] = *p++;
        }
    }
    out[n] = '\0';
}

static bool write_table(duckdb_connection connection, const table_t *table, const char *folder, double scale,
                        nv_error_t *err)
{
    char select[8192], sql[10240];
    fill_in(table->select, scale, select, sizeof select);
    (void)snprintf(sql, sizeof sql, "COPY (WITH s AS (SELECT %s AS w) %s) TO '%s/%s.csv' (HEADER)", words,
                   select, folder, table->name);
    duckdb_result result;
    bool ok = duckdb_query(connection, sql, &result) == DuckDBSuccess;
    if (!ok)
        (void)nv_fail(err, NV_INTERNAL, "%s: %.400s", table->name, duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return ok;
}

static bool write_all(const char *folder, double scale, nv_error_t *err)
{
    duckdb_database database = NULL;
    duckdb_connection connection = NULL;
    bool ok = (mkdir(folder, 0755) == 0 || errno == EEXIST) || nv_fail_errno(err, errno, "%s", folder);
    if (ok && (duckdb_open(NULL, &database) != DuckDBSuccess ||
               duckdb_connect(database, &connection) != DuckDBSuccess))
        ok = nv_fail(err, NV_UNAVAILABLE, "DuckDB cannot be opened");
    for (size_t i = 0; ok && i < sizeof tables / sizeof tables[0]; i++)
        ok = write_table(connection, &tables[i], folder, scale, err);
    duckdb_disconnect(&connection);
    duckdb_close(&database);
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/truth.json", folder);
    FILE *file = ok ? fopen(path, "w") : NULL;
    ok = ok && file != NULL && fputs(truth, file) >= 0;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    return ok;
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    double scale = argc > 2 ? strtod(argv[2], NULL) : 0.01;
    if (argc < 2 || strchr(argv[1], '\'') != NULL || !(scale > 0 && scale <= 100)) {
        fprintf(stderr, "usage: design_tpch OUT [SCALE], a scale above 0 and up to 100\n");
        return 64;
    }
    if (write_all(argv[1], scale, &err))
        return 0;
    fprintf(stderr, "design_tpch: %s\n", err.message);
    return 1;
}
