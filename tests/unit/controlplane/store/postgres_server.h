/* A private PostgreSQL server for a test program (tests/tools/postgres.sh). */
#ifndef TESTS_POSTGRES_SERVER_H
#define TESTS_POSTGRES_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char server_dir[256];
static int databases_made;

static inline bool server_do(const char *verb)
{
    char command[512];
    snprintf(command, sizeof command, "'%s' %s '%s'", POSTGRES_SH, verb, server_dir);
    return system(command) == 0;
}

static inline bool server_start(void)
{
    FILE *pipe = popen("'" POSTGRES_SH "' start", "r");
    if (!pipe)
        return false;
    bool ok = fgets(server_dir, sizeof server_dir, pipe) != NULL;
    server_dir[strcspn(server_dir, "\n")] = '\0';
    return pclose(pipe) == 0 && ok;
}

/* An empty database of its own for each test. */
static inline void server_fresh(char *url, size_t size)
{
    char text[512];
    snprintf(text, sizeof text, "host=%s user=nuvyn dbname=postgres", server_dir);
    PGconn *conn = PQconnectdb(text);
    snprintf(text, sizeof text, "CREATE DATABASE t%d TEMPLATE template0 ENCODING 'UTF8'", ++databases_made);
    PGresult *result = PQexec(conn, text);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fprintf(stderr, "%s", PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
    snprintf(url, size, "postgresql:host=%s user=nuvyn dbname=t%d", server_dir, databases_made);
}

#endif
