/* Every SQL statement of the store, once, in the dialect that SQLite and PostgreSQL share.
 *
 * Parameters appear in order of their numbers. Where PostgreSQL could not infer a parameter's type, a CAST says it.
 * Only the vector index has statements of its own per engine (VEC_* and PGV_*).
 */
#ifndef CONTROLPLANE_STORE_STATEMENTS_H
#define CONTROLPLANE_STORE_STATEMENTS_H

#define RUN_COLUMNS                                                                                          \
    "tenant, run_id, pool, state, reason, owner, forked_from, epoch, revision, last_event, "                 \
    "last_checkpoint, "                                                                                      \
    "created_ms, finished_ms, round, score, spec, summary"
#define TASK_COLUMNS                                                                                         \
    "tenant, run_id, task_id, kind, item, node, state, pool, session, token, attempt, epoch, lease_ms, "     \
    "updated_ms, data"
#define INTERRUPT_COLUMNS                                                                                    \
    "run_id, interrupt_id, task_id, node, question, asked_ms, answer, answered_by, comment, answered_ms, "   \
    "data"
#define CHECKPOINT_COLUMNS "seq, parent, step, snapshot, created_ms, nodes, bytes"
#define CASE_COLUMNS "case_id, kind, stage, symptom, run_id, created_ms, data, embedding"
#define OF_RUN " WHERE tenant = $1 AND run_id = $2"

/* clang-format off */
#define DB_STATEMENTS(X) \
    X(RUN_INSERT, "INSERT INTO runs (" RUN_COLUMNS ") VALUES " \
      "($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (tenant, run_id) DO NOTHING") \
    X(RUN_CHANGE, "UPDATE runs SET revision = revision + 1, " \
      "epoch = CASE WHEN CAST($1 AS BIGINT) > 0 THEN $1 ELSE epoch END, " \
      "last_event = CASE WHEN CAST($2 AS BIGINT) > 0 THEN $2 ELSE last_event END, " \
      "last_checkpoint = CASE WHEN CAST($3 AS BIGINT) > 0 THEN $3 ELSE last_checkpoint END, " \
      "state = COALESCE(CAST($4 AS TEXT), state), reason = COALESCE(CAST($5 AS TEXT), reason), " \
      "owner = COALESCE(CAST($6 AS TEXT), owner), pool = COALESCE(CAST($7 AS TEXT), pool), " \
      "finished_ms = CASE WHEN CAST($8 AS BIGINT) >= 0 THEN $8 ELSE finished_ms END, " \
      "round = CASE WHEN CAST($9 AS BIGINT) >= 0 THEN $9 ELSE round END, " \
      "score = CASE WHEN CAST($10 AS DOUBLE PRECISION) >= 0 THEN $10 ELSE score END, " \
      "summary = COALESCE($11, summary) " \
      "WHERE tenant = $12 AND run_id = $13 AND epoch = $14 " \
      "AND (CAST($15 AS BIGINT) = 0 OR revision = $15) AND (CAST($16 AS BIGINT) = 0 OR last_event + 1 = $16) " \
      "RETURNING epoch, revision, last_event") \
    X(RUN_ADVANCE, "UPDATE runs SET revision = revision + 1, " \
      "epoch = CASE WHEN CAST($1 AS BIGINT) > 0 THEN $1 ELSE epoch END, " \
      "last_event = CASE WHEN CAST($2 AS BIGINT) > 0 THEN $2 ELSE last_event END, " \
      "last_checkpoint = CASE WHEN CAST($3 AS BIGINT) > 0 THEN $3 ELSE last_checkpoint END, " \
      "summary = COALESCE($4, summary) WHERE tenant = $5 AND run_id = $6 AND epoch = $7 " \
      "AND (CAST($8 AS BIGINT) = 0 OR revision = $8) AND (CAST($9 AS BIGINT) = 0 OR last_event + 1 = $9) " \
      "RETURNING epoch, revision, last_event") \
    X(RUN_GET, "SELECT " RUN_COLUMNS " FROM runs" OF_RUN) \
    X(RUN_LIST, "SELECT " RUN_COLUMNS " FROM runs WHERE tenant = $1 AND created_ms >= 0 AND (created_ms, run_id) < ($2, $3) " \
      "ORDER BY created_ms DESC, run_id DESC LIMIT $4") \
    X(RUN_LIST_STATE, "SELECT " RUN_COLUMNS " FROM runs WHERE tenant = $1 AND state = $2 " \
      "AND created_ms >= 0 AND (created_ms, run_id) < ($3, $4) ORDER BY created_ms DESC, run_id DESC LIMIT $5") \
    X(RUN_LIST_OPEN, "SELECT " RUN_COLUMNS " FROM runs WHERE finished_ms = 0 " \
      "AND (created_ms, tenant, run_id) > ($1, $2, $3) ORDER BY created_ms, tenant, run_id LIMIT $4") \
    X(RUN_LIST_FINISHED, "SELECT tenant, run_id, epoch, finished_ms FROM runs WHERE finished_ms > 0 " \
      "AND finished_ms < $1 AND (finished_ms, tenant, run_id) > ($2, $3, $4) " \
      "ORDER BY finished_ms, tenant, run_id LIMIT $5") \
    X(CHECKPOINT_TRIM, "DELETE FROM checkpoints" OF_RUN " AND seq < (SELECT MAX(s.seq) FROM checkpoints s " \
      "WHERE s.tenant = $1 AND s.run_id = $2 AND s.snapshot = 1) AND EXISTS (SELECT 1 FROM runs r " \
      "WHERE r.tenant = $1 AND r.run_id = $2 AND r.finished_ms > 0)") \
    X(RUN_DELETE, "DELETE FROM runs" OF_RUN " AND epoch = $3") \
    X(RUN_DELETE_REQUESTS, "DELETE FROM requests" OF_RUN) \
    X(RUN_DELETE_CHECKPOINTS, "DELETE FROM checkpoints" OF_RUN) \
    X(RUN_DELETE_PENDING, "DELETE FROM pending" OF_RUN) \
    X(RUN_DELETE_EVENTS, "DELETE FROM events" OF_RUN) \
    X(RUN_DELETE_TASKS, "DELETE FROM tasks" OF_RUN) \
    X(RUN_DELETE_INTERRUPTS, "DELETE FROM interrupts" OF_RUN) \
    X(RUN_DELETE_ARTIFACTS, "DELETE FROM artifacts" OF_RUN) \
    X(RUN_DELETE_DOCUMENTS, "DELETE FROM run_documents" OF_RUN) \
    X(REQUEST_FIND, "SELECT run_id FROM requests WHERE tenant = $1 AND request_id = $2") \
    X(REQUEST_INSERT, "INSERT INTO requests (tenant, request_id, run_id, created_ms) VALUES ($1, $2, $3, $4) " \
      "ON CONFLICT (tenant, request_id) DO NOTHING") \
    X(CHECKPOINT_INSERT, "INSERT INTO checkpoints (tenant, run_id, " CHECKPOINT_COLUMNS ", data) VALUES " \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)") \
    X(CHECKPOINT_PRUNE, "DELETE FROM checkpoints" OF_RUN " AND seq < $3") \
    X(CHECKPOINT_LIST, "SELECT " CHECKPOINT_COLUMNS " FROM checkpoints" OF_RUN " ORDER BY seq") \
    X(CHECKPOINT_CHAIN, "SELECT " CHECKPOINT_COLUMNS ", data FROM checkpoints" OF_RUN " AND seq <= $3 AND seq >= " \
      "(SELECT MAX(s.seq) FROM checkpoints s WHERE s.tenant = $1 AND s.run_id = $2 AND s.snapshot = 1 AND s.seq <= $3) " \
      "ORDER BY seq") \
    X(PENDING_PUT, "INSERT INTO pending (tenant, run_id, step, task_id, data) VALUES ($1, $2, $3, $4, $5) " \
      "ON CONFLICT (tenant, run_id, step, task_id) DO UPDATE SET data = excluded.data") \
    X(PENDING_CLEAR, "DELETE FROM pending" OF_RUN " AND step <= $3") \
    X(PENDING_LIST, "SELECT step, task_id, data FROM pending" OF_RUN " AND step > $3 ORDER BY step, task_id") \
    X(EVENT_INSERT, "INSERT INTO events (tenant, run_id, seq, data) VALUES ($1, $2, $3, $4)") \
    X(EVENT_LIST, "SELECT seq, data FROM events" OF_RUN " AND seq > $3 ORDER BY seq LIMIT $4") \
    X(TASK_PUT, "INSERT INTO tasks (" TASK_COLUMNS ") VALUES " \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (tenant, run_id, task_id) DO UPDATE SET " \
      "kind = excluded.kind, item = excluded.item, node = excluded.node, state = excluded.state, pool = excluded.pool, " \
      "session = excluded.session, token = excluded.token, attempt = excluded.attempt, epoch = excluded.epoch, " \
      "lease_ms = excluded.lease_ms, updated_ms = excluded.updated_ms, data = excluded.data") \
    X(TASK_LIST, "SELECT " TASK_COLUMNS " FROM tasks" OF_RUN " ORDER BY task_id") \
    X(TASK_LIST_OPEN, "SELECT " TASK_COLUMNS " FROM tasks" OF_RUN \
      " AND state NOT IN ('done', 'failed', 'cancelled') ORDER BY task_id") \
    X(INTERRUPT_PUT, "INSERT INTO interrupts (tenant, " INTERRUPT_COLUMNS ") VALUES " \
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (tenant, run_id, interrupt_id) DO UPDATE SET " \
      "task_id = excluded.task_id, node = excluded.node, question = excluded.question, asked_ms = excluded.asked_ms, " \
      "answer = excluded.answer, answered_by = excluded.answered_by, comment = excluded.comment, " \
      "answered_ms = excluded.answered_ms, data = excluded.data") \
    X(INTERRUPT_GET, "SELECT " INTERRUPT_COLUMNS " FROM interrupts" OF_RUN " AND interrupt_id = $3") \
    X(INTERRUPT_LIST, "SELECT " INTERRUPT_COLUMNS " FROM interrupts WHERE tenant = $1 " \
      "AND (CAST($2 AS TEXT) = '' OR run_id = $2) AND (CAST($3 AS BIGINT) = 0 OR answer = '') " \
      "ORDER BY asked_ms, run_id, interrupt_id LIMIT $4") \
    X(ARTIFACT_PUT, "INSERT INTO artifacts (tenant, run_id, name, sha256, media_type, message_type, created_ms) " \
      "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, run_id, name) DO UPDATE SET sha256 = excluded.sha256, " \
      "media_type = excluded.media_type, message_type = excluded.message_type, created_ms = excluded.created_ms") \
    X(ARTIFACT_GET, "SELECT a.name, a.sha256, d.bytes, a.media_type, a.message_type, a.created_ms FROM artifacts a " \
      "JOIN documents d ON d.tenant = a.tenant AND d.sha256 = a.sha256 " \
      "WHERE a.tenant = $1 AND a.run_id = $2 AND a.name = $3") \
    X(ARTIFACT_LIST, "SELECT a.name, a.sha256, d.bytes, a.media_type, a.message_type, a.created_ms FROM artifacts a " \
      "JOIN documents d ON d.tenant = a.tenant AND d.sha256 = a.sha256 " \
      "WHERE a.tenant = $1 AND a.run_id = $2 ORDER BY a.name") \
    X(RUN_DOCUMENT_PUT, "INSERT INTO run_documents (tenant, run_id, sha256) VALUES ($1, $2, $3) " \
      "ON CONFLICT (tenant, run_id, sha256) DO NOTHING") \
    X(RUN_DOCUMENT_HAS, "SELECT 1 FROM run_documents" OF_RUN " AND sha256 = $3") \
    X(DOCUMENT_STAT, "SELECT bytes, content_id FROM documents WHERE tenant = $1 AND sha256 = $2") \
    X(DOCUMENT_INSERT, "INSERT INTO documents (tenant, sha256, bytes, content_id, created_ms) VALUES ($1, $2, $3, $4, $5) " \
      "ON CONFLICT (tenant, sha256) DO NOTHING") \
    X(DOCUMENT_TOUCH, "UPDATE documents SET created_ms = $1 WHERE tenant = $2 AND sha256 = $3") \
    X(DOCUMENT_UNUSED, "SELECT sha256, content_id FROM documents d WHERE d.tenant = $1 AND d.created_ms < $2 " \
      "AND NOT EXISTS (SELECT 1 FROM run_documents r WHERE r.tenant = d.tenant AND r.sha256 = d.sha256) LIMIT $3") \
    X(DOCUMENT_DELETE, "DELETE FROM documents WHERE tenant = $1 AND sha256 = $2") \
    X(CHUNK_INSERT, "INSERT INTO chunks (tenant, content_id, idx, data) VALUES ($1, $2, $3, $4)") \
    X(CHUNK_LIST, "SELECT idx, data FROM chunks WHERE tenant = $1 AND content_id = $2 AND idx >= $3 AND idx <= $4 " \
      "ORDER BY idx") \
    X(CHUNK_DELETE, "DELETE FROM chunks WHERE tenant = $1 AND content_id = $2") \
    X(UPLOAD_INSERT, "INSERT INTO uploads (tenant, content_id, started_ms) VALUES ($1, $2, $3)") \
    X(UPLOAD_DELETE, "DELETE FROM uploads WHERE tenant = $1 AND content_id = $2") \
    X(UPLOAD_OLD, "SELECT content_id FROM uploads WHERE tenant = $1 AND started_ms < $2 LIMIT $3") \
    X(TENANT_INSERT, "INSERT INTO tenants (name, display_name, created_ms, max_tasks, weight, wrapped_key) VALUES " \
      "($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING") \
    X(TENANT_GET, "SELECT name, display_name, created_ms, max_tasks, weight, wrapped_key FROM tenants WHERE name = $1") \
    X(TENANT_LIST, "SELECT name, display_name, created_ms, max_tasks, weight, wrapped_key FROM tenants ORDER BY name") \
    X(TENANT_SET_KEY, "UPDATE tenants SET wrapped_key = $1 WHERE name = $2 AND wrapped_key = $3") \
    X(POOL_INSERT, "INSERT INTO pools (name, dedicated_to, own_credentials, created_ms) VALUES ($1, $2, $3, $4) " \
      "ON CONFLICT (name) DO NOTHING") \
    X(POOL_GET, "SELECT name, dedicated_to, own_credentials, created_ms FROM pools WHERE name = $1") \
    X(POOL_LIST, "SELECT name, dedicated_to, own_credentials, created_ms FROM pools ORDER BY name") \
    X(CREDENTIAL_PUT, "INSERT INTO credentials (tenant, kind, sealed, updated_ms) VALUES ($1, $2, $3, $4) " \
      "ON CONFLICT (tenant, kind) DO UPDATE SET sealed = excluded.sealed, updated_ms = excluded.updated_ms") \
    X(CREDENTIAL_DELETE, "DELETE FROM credentials WHERE tenant = $1 AND kind = $2") \
    X(CREDENTIAL_GET, "SELECT kind, sealed, updated_ms FROM credentials WHERE tenant = $1 AND kind = $2") \
    X(CREDENTIAL_LIST, "SELECT kind, sealed, updated_ms FROM credentials WHERE tenant = $1 ORDER BY kind") \
    X(REVOCATION_PUT, "INSERT INTO revocations (serial, spiffe_id, reason, revoked_ms) VALUES ($1, $2, $3, $4) " \
      "ON CONFLICT (serial, spiffe_id) DO UPDATE SET reason = excluded.reason, revoked_ms = excluded.revoked_ms " \
      "WHERE revocations.revoked_ms < excluded.revoked_ms AND excluded.serial = ''") \
    X(REVOCATION_LIST, "SELECT serial, spiffe_id, reason, revoked_ms FROM revocations ORDER BY revoked_ms, serial, spiffe_id") \
    X(CASE_PUT, "INSERT INTO cases (tenant, " CASE_COLUMNS ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) " \
      "ON CONFLICT (tenant, case_id) DO UPDATE SET kind = excluded.kind, stage = excluded.stage, " \
      "symptom = excluded.symptom, run_id = excluded.run_id, created_ms = excluded.created_ms, data = excluded.data, " \
      "embedding = excluded.embedding") \
    X(CASE_GET, "SELECT " CASE_COLUMNS " FROM cases WHERE tenant = $1 AND case_id = $2") \
    X(CASE_DELETE, "DELETE FROM cases WHERE tenant = $1 AND case_id = $2") \
    X(CASE_COUNT, "SELECT COUNT(*) FROM cases WHERE tenant = $1") \
    X(CASE_SCAN, "SELECT case_id, embedding FROM cases WHERE tenant = $1 AND (CAST($2 AS BIGINT) = 0 OR kind = $2) " \
      "AND (CAST($3 AS TEXT) = '' OR stage = $3) AND (CAST($4 AS TEXT) = '' OR symptom = $4) ORDER BY case_id") \
    X(VEC_PUT, "INSERT INTO case_vectors (tenant, embedding, kind, stage, symptom, case_id) VALUES ($1, $2, $3, $4, $5, $6)") \
    X(VEC_FIND, "SELECT vector_row FROM case_vector_rows WHERE tenant = $1 AND case_id = $2") \
    X(VEC_LINK, "INSERT INTO case_vector_rows (tenant, case_id, vector_row) VALUES ($1, $2, last_insert_rowid())") \
    X(VEC_UNLINK, "DELETE FROM case_vector_rows WHERE tenant = $1 AND case_id = $2") \
    X(VEC_DELETE, "DELETE FROM case_vectors WHERE rowid = $1") \
    X(VEC_ORPHANS, "SELECT rowid FROM case_vectors WHERE rowid NOT IN (SELECT vector_row FROM case_vector_rows) LIMIT $1") \
    X(VEC_SEARCH, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 AND tenant = $3") \
    X(VEC_SEARCH_KIND, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND kind = $4") \
    X(VEC_SEARCH_STAGE, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND stage = $4") \
    X(VEC_SEARCH_SYMPTOM, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND symptom = $4") \
    X(VEC_SEARCH_KIND_STAGE, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND kind = $4 AND stage = $5") \
    X(VEC_SEARCH_KIND_SYMPTOM, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND kind = $4 AND symptom = $5") \
    X(VEC_SEARCH_STAGE_SYMPTOM, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND stage = $4 AND symptom = $5") \
    X(VEC_SEARCH_ALL, "SELECT case_id, 1.0 - distance FROM case_vectors WHERE embedding MATCH $1 AND k = $2 " \
      "AND tenant = $3 AND kind = $4 AND stage = $5 AND symptom = $6") \
    X(VEC_MISSING, "SELECT tenant, case_id, kind, stage, symptom, embedding FROM cases c WHERE NOT EXISTS " \
      "(SELECT 1 FROM case_vector_rows v WHERE v.tenant = c.tenant AND v.case_id = c.case_id) LIMIT $1") \
    X(PGV_PUT, "INSERT INTO case_vectors (tenant, case_id, embedding) VALUES ($1, $2, CAST(CAST($3 AS TEXT) AS vector)) " \
      "ON CONFLICT (tenant, case_id) DO UPDATE SET embedding = excluded.embedding") \
    X(PGV_DELETE, "DELETE FROM case_vectors WHERE tenant = $1 AND case_id = $2") \
    X(PGV_SEARCH, "SELECT v.case_id, 1.0 - (v.embedding <=> CAST(CAST($1 AS TEXT) AS vector)) AS similarity " \
      "FROM case_vectors v JOIN cases c ON c.tenant = v.tenant AND c.case_id = v.case_id WHERE v.tenant = $2 " \
      "AND (CAST($3 AS BIGINT) = 0 OR c.kind = $3) AND (CAST($4 AS TEXT) = '' OR c.stage = $4) " \
      "AND (CAST($5 AS TEXT) = '' OR c.symptom = $5) ORDER BY similarity DESC, v.case_id LIMIT $6") \
    X(PGV_MISSING, "SELECT tenant, case_id, kind, stage, symptom, embedding FROM cases c WHERE NOT EXISTS " \
      "(SELECT 1 FROM case_vectors v WHERE v.tenant = c.tenant AND v.case_id = c.case_id) LIMIT $1") \
    X(PGV_VERSION, "SELECT extversion FROM pg_extension WHERE extname = 'vector'") \
    X(PG_XACT_STATUS, "SELECT COALESCE(pg_xact_status(CAST(CAST($1 AS TEXT) AS xid8)), 'unknown')") \
    X(LEADER_CLAIM, "INSERT INTO leaders (name, owner, address, epoch, until_ms) VALUES ($1, $2, $3, $4, $5) " \
      "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, address = excluded.address, " \
      "until_ms = excluded.until_ms, " \
      "epoch = CASE WHEN leaders.epoch < excluded.epoch THEN excluded.epoch ELSE leaders.epoch + 1 END " \
      "WHERE leaders.until_ms <= $6 RETURNING epoch") \
    X(LEADER_GET, "SELECT owner, address, epoch, until_ms FROM leaders WHERE name = $1") \
    X(LEADER_HOLD, "SELECT epoch FROM leaders WHERE name = $1 AND epoch = $2") \
    X(PG_LEADER_HOLD, "SELECT epoch FROM leaders WHERE name = $1 AND epoch = $2 FOR SHARE") \
    X(LEADER_RENEW, "UPDATE leaders SET until_ms = $1 WHERE name = $2 AND owner = $3 AND epoch = $4") \
    X(PG_BEGIN, "BEGIN") \
    X(PG_XACT_ID, "SELECT CAST(pg_current_xact_id() AS TEXT)") \
    X(PG_NOW, "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)") \
    X(META_GET, "SELECT value FROM nuvyn_meta WHERE name = $1") \
    X(META_PUT, "INSERT INTO nuvyn_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
/* clang-format on */

typedef enum db_statement {
#define X(name, sql) DB_##name,
    DB_STATEMENTS(X)
#undef X
        DB_STATEMENT_COUNT
} db_statement_t;

/* "RUN_GET" and its SQL. */
const char *db_statement_name(db_statement_t id);
const char *db_statement_sql(db_statement_t id);

#endif
