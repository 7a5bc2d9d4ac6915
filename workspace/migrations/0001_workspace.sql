-- The workspace's state. Times are milliseconds since 1970. Documents (settings, parameters, outputs) are JSON text.
-- What lies in Unity Catalog (catalogs, schemas, tables, volumes) is not here: the folders on disk are its truth.

CREATE TABLE sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;

CREATE TABLE objects (
    path        TEXT PRIMARY KEY,
    parent      TEXT NOT NULL,
    object_id   INTEGER NOT NULL UNIQUE,
    type        TEXT NOT NULL CHECK (type IN ('DIRECTORY', 'NOTEBOOK', 'FILE')),
    language    TEXT CHECK (language IN ('PYTHON', 'SQL', 'SCALA', 'R')),
    content     BLOB,
    size        INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL
) STRICT;
CREATE INDEX objects_parent ON objects (parent);

CREATE TABLE jobs (
    job_id      INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    settings    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    next_number INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX jobs_name ON jobs (name COLLATE NOCASE);

CREATE TABLE runs (
    run_id            INTEGER PRIMARY KEY,
    job_id            INTEGER,
    run_name          TEXT NOT NULL,
    run_type          TEXT NOT NULL CHECK (run_type IN ('JOB_RUN', 'SUBMIT_RUN', 'WORKFLOW_RUN')),
    number_in_job     INTEGER NOT NULL,
    idempotency_token TEXT UNIQUE,
    settings          TEXT NOT NULL,
    parameters        TEXT NOT NULL,
    only_tasks        TEXT,
    state             TEXT NOT NULL CHECK (state IN ('QUEUED', 'PENDING', 'RUNNING', 'TERMINATING', 'TERMINATED', 'SKIPPED', 'INTERNAL_ERROR')),
    result            TEXT,
    message           TEXT NOT NULL DEFAULT '',
    cancel_requested  INTEGER NOT NULL DEFAULT 0,
    start_time        INTEGER NOT NULL,
    begin_time        INTEGER,
    end_time          INTEGER
) STRICT;
CREATE INDEX runs_active ON runs (state) WHERE state IN ('QUEUED', 'PENDING', 'RUNNING', 'TERMINATING');
CREATE INDEX runs_job ON runs (job_id, start_time);

-- One row per attempt of a task; the newest attempt counts.
CREATE TABLE task_runs (
    task_run_id INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_key    TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('PENDING', 'BLOCKED', 'WAITING_FOR_RETRY', 'RUNNING', 'TERMINATING', 'TERMINATED', 'SKIPPED', 'INTERNAL_ERROR')),
    result      TEXT,
    message     TEXT NOT NULL DEFAULT '',
    not_before  INTEGER NOT NULL DEFAULT 0,
    start_time  INTEGER,
    end_time    INTEGER,
    output      TEXT,
    UNIQUE (run_id, task_key, attempt)
) STRICT;

CREATE TABLE task_values (
    run_id   INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_key TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (run_id, task_key, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE statements (
    statement_id TEXT PRIMARY KEY,
    state        TEXT NOT NULL CHECK (state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED', 'CLOSED')),
    disposition  TEXT NOT NULL,
    format       TEXT NOT NULL,
    reply        TEXT,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE secret_scopes (name TEXT PRIMARY KEY, created_at INTEGER NOT NULL) STRICT;

CREATE TABLE secrets (
    scope      TEXT NOT NULL REFERENCES secret_scopes (name) ON DELETE CASCADE,
    key        TEXT NOT NULL,
    value      BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_acls (
    scope      TEXT NOT NULL REFERENCES secret_scopes (name) ON DELETE CASCADE,
    principal  TEXT NOT NULL,
    permission TEXT NOT NULL CHECK (permission IN ('READ', 'WRITE', 'MANAGE')),
    PRIMARY KEY (scope, principal)
) STRICT, WITHOUT ROWID;

CREATE TABLE warehouses (id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL) STRICT;
