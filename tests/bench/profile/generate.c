#include "generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static int pick(uint64_t *state, int n)
{
    return (int)(next(state) % (uint64_t)n);
}

static const char *const words[] = {"carefully", "final",     "deposits",    "quickly",  "ironic",
                                    "accounts",  "furiously", "special",     "requests", "pending",
                                    "blithely",  "even",      "theodolites", "express",  "packages",
                                    "regular",   "slyly",     "bold",        "foxes",    "unusual"};

static int put_words(char *out, uint64_t *state, int n)
{
    int length = 0;
    for (int i = 0; i < n; i++)
        length += sprintf(out + length, "%s%s", i ? " " : "", words[pick(state, 20)]);
    return length;
}

static int put_date(char *out, int day)
{
    /* 28-day months keep every date valid */
    return sprintf(out, "%04d-%02d-%02d", 1992 + day / 336, 1 + day / 28 % 12, 1 + day % 28);
}

static int lineitem(char *out, uint64_t *state, int64_t row)
{
    static const char *const instructions[] = {"DELIVER IN PERSON", "COLLECT COD", "NONE",
                                               "TAKE BACK RETURN"};
    static const char *const modes[] = {"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"};
    int quantity = 1 + pick(state, 50);
    int part = 1 + pick(state, 200000);
    long cents = (long)quantity * (90000 + part / 10 % 20001 + 100 * (part % 1000));
    int ship = pick(state, 2500);
    int n = sprintf(out, "%lld,%d,%d,%lld,%d,%ld.%02ld,0.%02d,0.%02d,%c,%c,", (long long)(row / 4 + 1), part,
                    1 + part % 10000, (long long)(row % 4 + 1), quantity, cents / 100, cents % 100,
                    pick(state, 11), pick(state, 9), "RAN"[pick(state, 3)], "OF"[pick(state, 2)]);
    n += put_date(out + n, ship);
    out[n++] = ',';
    n += put_date(out + n, ship + pick(state, 60));
    out[n++] = ',';
    n += put_date(out + n, ship + 1 + pick(state, 30));
    n += sprintf(out + n, ",%s,%s,", instructions[pick(state, 4)], modes[pick(state, 7)]);
    n += put_words(out + n, state, 2 + pick(state, 4));
    out[n++] = '\n';
    return n;
}

static int mixed(char *out, uint64_t *state, int64_t row)
{
    static const char *const states[] = {"new", "paid", "shipped", "returned", "N/A"};
    int day = pick(state, 3000);
    long cents = pick(state, 5000000);
    int n = sprintf(out, "%lld,%08d,user%d@example.com,", (long long)(row + 1), pick(state, 1000000),
                    pick(state, 2000000));
    n += sprintf(out + n, "\"%s, %s\",", words[pick(state, 20)], words[pick(state, 20)]);
    if (cents >= 100000)
        n += sprintf(out + n, "\"$%ld,%03ld.%02ld\",", cents / 100000, cents / 100 % 1000, cents % 100);
    else
        n += sprintf(out + n, "$%ld.%02ld,", cents / 100, cents % 100);
    n += put_date(out + n, day);
    n += sprintf(out + n, " %02d:%02d:%02d,", pick(state, 24), pick(state, 60), pick(state, 60));
    n += sprintf(out + n, "%02d/%02d/%04d,", 1 + day / 28 % 12, 1 + day % 28, 1992 + day / 336);
    n += sprintf(out + n, "%s,%s,", pick(state, 2) ? "yes" : "no", states[pick(state, 5)]);
    if (pick(state, 10))
        n += sprintf(out + n, "%d.%04d,", pick(state, 1000), pick(state, 10000));
    else
        n += sprintf(out + n, "N/A,");
    n += sprintf(out + n, "\"");
    n += put_words(out + n, state, 3);
    n += sprintf(out + n, " \"\"%s\"\"\"\n", words[pick(state, 20)]);
    return n;
}

bool generate_csv(const char *path, const char *kind, int64_t bytes, nv_error_t *err)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return nv_fail_errno(err, errno, "cannot create %s", path);
    bool lines = strcmp(kind, "lineitem") == 0;
    fputs(lines ? "l_orderkey,l_partkey,l_suppkey,l_linenumber,l_quantity,l_extendedprice,l_discount,l_tax,"
                  "l_returnflag,l_linestatus,l_shipdate,l_commitdate,l_receiptdate,l_shipinstruct,l_shipmode,"
                  "l_comment\n"
                : "id,customer_code,email,tags,amount,created_at,due_date,active,status,score,note\n",
          file);
    uint64_t state = 42;
    char line[1024];
    for (int64_t row = 0, written = 0; written < bytes; row++) {
        int n = lines ? lineitem(line, &state, row) : mixed(line, &state, row);
        fwrite(line, 1, (size_t)n, file);
        written += n;
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return nv_fail_errno(err, errno, "cannot write %s", path);
    return true;
}
