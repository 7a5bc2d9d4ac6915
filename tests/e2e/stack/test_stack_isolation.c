/* What one tenant's people and workers can learn of another's: nothing. Each test tries. */
#include "stack.h"

#include "nuvyn/design.pb-c.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a hostile worker: speaks the protocol by hand ---- */

typedef struct hostile {
    nv_rpc_client_t *client;
    nv_rpc_stream_t *stream;
    nv_mem_t *ctx;
    pthread_mutex_t lock;
    Nv__ControlMessage *got[64];
    atomic_int n, closed;
    nv_code_t code;
} hostile_t;

static void hostile_message(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    hostile_t *hostile = user;
    (void)stream;
    pthread_mutex_lock(&hostile->lock);
    int n = atomic_load(&hostile->n);
    if (n < 64) {
        nv_steal(hostile->ctx, ctx);
        hostile->got[n] = (Nv__ControlMessage *)message;
        atomic_store(&hostile->n, n + 1);
    } else {
        nv_mem_free(ctx);
    }
    pthread_mutex_unlock(&hostile->lock);
}

static void hostile_closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    hostile_t *hostile = user;
    (void)stream;
    hostile->code = status->code;
    atomic_store(&hostile->closed, 1);
}

static void say(hostile_t *hostile, Nv__WorkerMessage__BodyCase kind, void *body)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    message.body_case = kind;
    message.hello = body;
    if (!nv_rpc_stream_send(hostile->stream, &message.base, &err) && err.code != NV_UNAVAILABLE)
        fail_msg("%s", err.message);
}

static const Nv__ControlMessage *await(hostile_t *hostile, Nv__ControlMessage__BodyCase kind, int ms)
{
    for (int t = 0; t < ms; t += 10, usleep(10000)) {
        const Nv__ControlMessage *found = NULL;
        pthread_mutex_lock(&hostile->lock);
        for (int i = 0; i < atomic_load(&hostile->n) && !found; i++)
            if (hostile->got[i] && hostile->got[i]->body_case == kind) {
                found = hostile->got[i];
                hostile->got[i] = NULL;
            }
        pthread_mutex_unlock(&hostile->lock);
        if (found)
            return found;
    }
    return NULL;
}

static hostile_t *hostile_open(plane_stack_t *stack, const char *path, int slots)
{
    static const nv_rpc_stream_ops_t ops = {.message = hostile_message, .closed = hostile_closed};
    nv_error_t err = NV_ERROR_INIT;
    hostile_t *hostile = NV_NEW(stack->ctx, hostile_t);
    Nv__Hello hello = NV__HELLO__INIT;
    hostile->ctx = nv_mem_root("hostile");
    pthread_mutex_init(&hostile->lock, NULL);
    hostile->client = stack_client(stack, path);
    assert_true(nv_rpc_client_stream(hostile->client, "/nuvyn.v1.WorkerService/Connect",
                                     &nv__control_message__descriptor, &ops, hostile, &hostile->stream,
                                     &err));
    hello.slots = slots;
    say(hostile, NV__WORKER_MESSAGE__BODY_HELLO, &hello);
    return hostile;
}

static void hostile_close(hostile_t *hostile)
{
    nv_rpc_stream_abort(hostile->stream, NV_CANCELLED, "done");
    for (int i = 0; i < 500 && !atomic_load(&hostile->closed); i++)
        usleep(10000);
    nv_rpc_stream_unref(hostile->stream);
    nv_rpc_client_free(hostile->client);
    pthread_mutex_destroy(&hostile->lock);
    nv_mem_free(hostile->ctx);
}

/* ---- the scene: tenants acme (with a pool of its own) and globex (in the shared pool) ---- */

static void make_scene(plane_stack_t *stack)
{
    stack_make_tenant(stack, "acme");
    stack_make_tenant(stack, "globex");
    stack_make_pool(stack, "acme-pool", "acme");
}

/* Takes globex's survey task with an honest worker of the default pool, by hand; its assignment. */
static const Nv__TaskAssignment *take_task(hostile_t *honest)
{
    const Nv__ControlMessage *message = await(honest, NV__CONTROL_MESSAGE__BODY_ASSIGNMENT, 5000);
    assert_non_null(message);
    Nv__TaskAccepted accepted = NV__TASK_ACCEPTED__INIT;
    accepted.lease = message->assignment->lease;
    say(honest, NV__WORKER_MESSAGE__BODY_ACCEPTED, &accepted);
    return message->assignment;
}

static void set_credentials(plane_stack_t *stack, const char *tenant, Nv__DatabricksSecret *databricks,
                            Nv__LlmCredential *llm)
{
    Nv__SetCredentialRequest request = NV__SET_CREDENTIAL_REQUEST__INIT;
    request.tenant = stack_text(tenant);
    request.databricks = databricks;
    request.llm = llm;
    stack_call(stack, "AdminService/SetCredential", &request.base, &nv__tenant__descriptor);
}

static void set_secret(plane_stack_t *stack, const char *tenant, bool shared)
{
    Nv__LlmCredential llm = NV__LLM_CREDENTIAL__INIT;
    llm.provider = stack_text("compatible");
    llm.api_key = stack_text("sk-very-secret");
    llm.allow_shared_pools = shared;
    set_credentials(stack, tenant, NULL, &llm);
}

static void set_workspace_token(plane_stack_t *stack, const char *tenant, bool shared)
{
    Nv__DatabricksSecret databricks = NV__DATABRICKS_SECRET__INIT;
    databricks.host = stack_text("https://workspace.example");
    databricks.token = stack_text("token-of-the-workspace");
    databricks.allow_shared_pools = shared;
    set_credentials(stack, tenant, &databricks, NULL);
}

static void a_dedicated_pool_gets_no_task_of_another_tenant(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    hostile_t *worker = hostile_open(stack, "pool/acme-pool/worker/a", 4);
    assert_non_null(await(worker, NV__CONTROL_MESSAGE__BODY_WELCOME, 5000));
    stack_submit(stack, "globex", "tables=1", "");
    assert_null(await(worker, NV__CONTROL_MESSAGE__BODY_ASSIGNMENT, 1000));
    char *run = stack_submit(stack, "acme", "tables=1", "");
    const Nv__ControlMessage *mine = await(worker, NV__CONTROL_MESSAGE__BODY_ASSIGNMENT, 5000);
    assert_non_null(mine);
    assert_string_equal(mine->assignment->lease->run_id, run);
    hostile_close(worker);
}

static void a_worker_of_an_unknown_pool_is_refused(void **state)
{
    plane_stack_t *stack = *state;
    hostile_t *worker = hostile_open(stack, "pool/nowhere/worker/a", 1);
    for (int i = 0; i < 500 && !atomic_load(&worker->closed); i++)
        usleep(10000);
    assert_int_equal(worker->code, NV_NOT_FOUND);
    hostile_close(worker);
}

static nv_code_t get_document(plane_stack_t *stack, nv_rpc_client_t *client, const Nv__Lease *lease,
                              const char *sha)
{
    Nv__GetDocumentRequest request = NV__GET_DOCUMENT_REQUEST__INIT;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_reader_t *reader;
    ProtobufCMessage *message;
    request.lease = (Nv__Lease *)(uintptr_t)lease;
    request.sha256 = stack_text(sha);
    assert_true(nv_rpc_client_open(client, "/nuvyn.v1.WorkerService/GetDocument", &request.base,
                                   &nv__document_chunk__descriptor, 5000, &reader, &err));
    bool ok = nv_rpc_reader_next(reader, stack->ctx, &message, &err);
    nv_rpc_reader_free(reader);
    return ok ? NV_OK : err.code;
}

/* Another pool's worker that knows a lease by heart (from a log, say) can do nothing with it. */
static void a_copied_lease_opens_nothing(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    set_secret(stack, "globex", false);
    hostile_t *honest = hostile_open(stack, "pool/default/worker/h", 1);
    hostile_t *thief = hostile_open(stack, "pool/acme-pool/worker/t", 1);
    stack_submit(stack, "globex", "tables=1", "");
    const Nv__TaskAssignment *task = take_task(honest);
    Nv__CredentialRequest credential = NV__CREDENTIAL_REQUEST__INIT;
    credential.request_id = 7;
    credential.lease = task->lease;
    credential.kind = stack_text("llm");
    say(thief, NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST, &credential);
    const Nv__ControlMessage *answer = await(thief, NV__CONTROL_MESSAGE__BODY_CREDENTIAL, 5000);
    assert_non_null(answer);
    assert_int_equal(answer->credential->error_code, NV_ABORTED);
    assert_null(answer->credential->llm);
    say(honest, NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST, &credential);
    answer = await(honest, NV__CONTROL_MESSAGE__BODY_CREDENTIAL, 5000); /* the pool is shared */
    assert_non_null(answer);
    assert_int_equal(answer->credential->error_code, NV_PERMISSION_DENIED);
    assert_null(answer->credential->llm);
    assert_non_null(strstr(answer->credential->error_message, "--llm-shared-pools"));
    set_secret(stack, "globex", true);
    say(honest, NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST, &credential);
    answer = await(honest, NV__CONTROL_MESSAGE__BODY_CREDENTIAL, 5000);
    assert_non_null(answer);
    assert_string_equal(answer->credential->llm->api_key, "sk-very-secret");

    Nv__KnowledgeQuery query = NV__KNOWLEDGE_QUERY__INIT;
    query.request_id = 8;
    query.lease = task->lease;
    query.fingerprint = stack_text("orders");
    say(thief, NV__WORKER_MESSAGE__BODY_KNOWLEDGE_QUERY, &query);
    answer = await(thief, NV__CONTROL_MESSAGE__BODY_KNOWLEDGE, 5000);
    assert_non_null(answer);
    assert_int_equal(answer->knowledge->error_code, NV_ABORTED);
    assert_int_equal(answer->knowledge->n_hits, 0);

    Nv__TaskResult result = NV__TASK_RESULT__INIT;
    char *items[] = {stack_text("forged")};
    result.lease = task->lease;
    result.ok = true;
    result.outcome = stack_text("pass");
    result.items = items;
    result.n_items = 1;
    say(thief, NV__WORKER_MESSAGE__BODY_RESULT, &result);
    answer = await(thief, NV__CONTROL_MESSAGE__BODY_RESULT_ACK, 5000);
    assert_non_null(answer);
    assert_false(answer->result_ack->accepted);

    Nv__TaskEvent event = NV__TASK_EVENT__INIT;
    event.lease = task->lease;
    event.kind = stack_text("log");
    event.text = stack_text("forged");
    say(thief, NV__WORKER_MESSAGE__BODY_EVENT, &event);
    usleep(300000);
    events_t events = {0};
    (void)!stack_watch(stack, "globex", task->lease->run_id, 0, 4, &events);
    for (size_t i = 0; i < events.n; i++)
        assert_string_not_equal(events.list[i]->text, "forged");
    hostile_close(thief);
    hostile_close(honest);
}

/* What the control plane says to a worker that asks for a credential of its task. */
static const Nv__CredentialReply *ask_credential(hostile_t *worker, const Nv__Lease *lease, const char *kind)
{
    Nv__CredentialRequest credential = NV__CREDENTIAL_REQUEST__INIT;
    credential.request_id = 7;
    credential.lease = (Nv__Lease *)(uintptr_t)lease;
    credential.kind = stack_text(kind);
    say(worker, NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST, &credential);
    const Nv__ControlMessage *answer = await(worker, NV__CONTROL_MESSAGE__BODY_CREDENTIAL, 5000);
    assert_non_null(answer);
    return answer->credential;
}

static void remove_credential(plane_stack_t *stack, const char *tenant, const char *kind)
{
    Nv__RemoveCredentialRequest request = NV__REMOVE_CREDENTIAL_REQUEST__INIT;
    request.tenant = stack_text(tenant);
    request.kind = stack_text(kind);
    stack_call(stack, "AdminService/RemoveCredential", &request.base, &nv__tenant__descriptor);
}

static void a_personal_token_stays_out_of_shared_pools(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    set_workspace_token(stack, "globex", false);
    set_workspace_token(stack, "acme", false);
    hostile_t *shared = hostile_open(stack, "pool/default/worker/h", 1);
    hostile_t *own = hostile_open(stack, "pool/acme-pool/worker/a", 1);
    stack_submit(stack, "globex", "tables=1", "");
    const Nv__Lease *lease = take_task(shared)->lease;
    const Nv__CredentialReply *reply = ask_credential(shared, lease, "databricks");
    assert_int_equal(reply->error_code, NV_PERMISSION_DENIED);
    assert_null(reply->databricks);
    assert_non_null(strstr(reply->error_message, "--databricks-shared-pools"));
    set_workspace_token(stack, "globex", true);
    assert_string_equal(ask_credential(shared, lease, "databricks")->databricks->access_token,
                        "token-of-the-workspace");
    stack_submit(stack, "acme", "tables=1", "");
    assert_string_equal(ask_credential(own, take_task(own)->lease, "databricks")->databricks->access_token,
                        "token-of-the-workspace");
    hostile_close(own);
    hostile_close(shared);
}

static void a_removed_credential_is_gone(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    set_workspace_token(stack, "globex", true);
    set_secret(stack, "globex", true);
    hostile_t *worker = hostile_open(stack, "pool/default/worker/h", 1);
    stack_submit(stack, "globex", "tables=1", "");
    const Nv__Lease *lease = take_task(worker)->lease;
    assert_int_equal(ask_credential(worker, lease, "llm")->error_code, 0);
    remove_credential(stack, "globex", "llm");
    assert_int_equal(ask_credential(worker, lease, "llm")->error_code, NV_NOT_FOUND);
    assert_int_equal(ask_credential(worker, lease, "databricks")->error_code, 0); /* the other one stays */
    hostile_close(worker);
}

static void a_model_of_the_workspace_takes_its_token(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    Nv__LlmCredential llm = NV__LLM_CREDENTIAL__INIT;
    llm.provider = stack_text("databricks");
    llm.model = stack_text("endpoint");
    set_workspace_token(stack, "globex", true);
    set_credentials(stack, "globex", NULL, &llm);
    hostile_t *worker = hostile_open(stack, "pool/default/worker/h", 1);
    stack_submit(stack, "globex", "tables=1", "");
    const Nv__CredentialReply *reply = ask_credential(worker, take_task(worker)->lease, "llm");
    assert_int_equal(reply->error_code, 0);
    assert_string_equal(reply->llm->api_key, "token-of-the-workspace");
    assert_string_equal(reply->llm->base_url, "https://workspace.example/serving-endpoints");
    assert_true(reply->expires_unix_ms > 0);
    hostile_close(worker);
}

static void documents_are_for_holders_of_the_run_only(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    hostile_t *thief = hostile_open(stack, "pool/acme-pool/worker/t", 1);
    hostile_t *honest = hostile_open(stack, "pool/default/worker/h", 1);
    stack_submit(stack, "acme", "tables=1", "");
    const Nv__TaskAssignment *own = take_task(thief);
    stack_submit(stack, "globex", "tables=1", "");
    const Nv__TaskAssignment *task = take_task(honest);

    /* globex's worker uploads its survey */
    Nv__DocumentUpload upload = NV__DOCUMENT_UPLOAD__INIT;
    Nv__DocumentRef ref = NV__DOCUMENT_REF__INIT;
    static const char sha[] =
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"; /* "hello" */
    ref.name = stack_text("survey");
    ref.sha256 = stack_text(sha);
    upload.lease = task->lease;
    upload.document = &ref;
    upload.data.data = (uint8_t *)stack_text("hello");
    upload.data.len = 5;
    upload.last = true;
    say(honest, NV__WORKER_MESSAGE__BODY_UPLOAD, &upload);
    Nv__TaskResult result = NV__TASK_RESULT__INIT;
    Nv__DocumentRef *writes[] = {&ref};
    char *items[] = {stack_text("t")};
    result.lease = task->lease;
    result.ok = true;
    result.outcome = stack_text("done");
    result.writes = writes;
    result.n_writes = 1;
    result.items = items;
    result.n_items = 1;
    say(honest, NV__WORKER_MESSAGE__BODY_RESULT, &result);
    const Nv__ControlMessage *ack = await(honest, NV__CONTROL_MESSAGE__BODY_RESULT_ACK, 5000);
    assert_non_null(ack);
    assert_true(ack->result_ack->accepted);
    const Nv__TaskAssignment *next = take_task(honest);
    assert_int_equal(next->n_inline_inputs, 1); /* small: it comes along */
    assert_string_equal(next->inline_inputs[0]->sha256, sha);
    assert_int_equal(next->inline_inputs[0]->data.len, 5);
    assert_memory_equal(next->inline_inputs[0]->data.data, "hello", 5);
    assert_int_equal(get_document(stack, honest->client, next->lease, sha), NV_OK);

    assert_int_equal(get_document(stack, thief->client, next->lease, sha),
                     NV_PERMISSION_DENIED);                                              /* not its lease */
    assert_int_equal(get_document(stack, thief->client, own->lease, sha), NV_NOT_FOUND); /* not of its run */
    assert_int_equal(get_document(stack, honest->client, task->lease, sha),
                     NV_PERMISSION_DENIED); /* lease is over */
    Nv__Lease forged = *next->lease;
    forged.tenant = stack_text("acme");
    forged.attempt++;
    assert_int_equal(get_document(stack, honest->client, &forged, sha), NV_PERMISSION_DENIED);

    /* the same result again: the lease has ended with the first */
    say(honest, NV__WORKER_MESSAGE__BODY_RESULT, &result);
    ack = await(honest, NV__CONTROL_MESSAGE__BODY_RESULT_ACK, 5000);
    assert_non_null(ack);
    assert_false(ack->result_ack->accepted);
    hostile_close(thief);
    hostile_close(honest);
}

static void a_result_without_its_documents_is_a_failure(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    hostile_t *worker = hostile_open(stack, "pool/default/worker/h", 1);
    char *run = stack_submit(stack, "globex", "tables=1", "");
    const Nv__TaskAssignment *task = take_task(worker);
    Nv__TaskResult result = NV__TASK_RESULT__INIT;
    Nv__DocumentRef ref = NV__DOCUMENT_REF__INIT;
    Nv__DocumentRef *list[] = {&ref};
    result.lease = task->lease;
    result.ok = true;
    result.artifacts = list;
    result.n_artifacts = 1;
    ref.name = stack_text("../../etc/passwd");
    ref.sha256 = stack_text("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    say(worker, NV__WORKER_MESSAGE__BODY_RESULT, &result);
    Nv__Run *failed = stack_wait_run(stack, "globex", run, "failed", 30);
    assert_non_null(strstr(failed->reason, "artifact"));
    hostile_close(worker);
}

/* ---- people ---- */

static void a_user_sees_nothing_of_another_tenant(void **state)
{
    plane_stack_t *stack = *state;
    make_scene(stack);
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "globex", "tables=1", "");
    stack_wait_run(stack, "globex", run, "succeeded", 10);
    nv_rpc_client_t *jo = stack_client(stack, "tenant/acme/user/jo");
    Nv__GetRunRequest get = NV__GET_RUN_REQUEST__INIT;
    Nv__ListRunsRequest list = NV__LIST_RUNS_REQUEST__INIT;
    ProtobufCMessage *reply;
    get.run_id = run;
    static const char *const methods[] = {"RunService/GetRun", "RunService/CancelRun", "RunService/RetryRun",
                                          "RunService/ListCheckpoints", "RunService/ListArtifacts"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        get.tenant = stack_text("globex");
        assert_int_equal(stack_try(stack, jo, methods[i], &get.base, &nv__run__descriptor, NULL),
                         NV_PERMISSION_DENIED);
        get.tenant = stack_text("");
        assert_int_equal(stack_try(stack, jo, methods[i], &get.base, &nv__run__descriptor, NULL),
                         NV_NOT_FOUND);
    }
    assert_int_equal(
        stack_try(stack, jo, "RunService/ListRuns", &list.base, &nv__list_runs_reply__descriptor, &reply),
        NV_OK);
    assert_int_equal(((Nv__ListRunsReply *)reply)->n_runs, 0);
    Nv__ListTenantsRequest tenants = NV__LIST_TENANTS_REQUEST__INIT;
    assert_int_equal(stack_try(stack, jo, "AdminService/ListTenants", &tenants.base,
                               &nv__list_tenants_reply__descriptor, NULL),
                     NV_PERMISSION_DENIED);
    nv_rpc_client_free(jo);
}

static void a_user_cannot_watch_or_download_from_another_tenant(void **state)
{
    plane_stack_t *stack = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_reader_t *reader;
    ProtobufCMessage *message;
    make_scene(stack);
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "globex", "tables=1", "");
    stack_wait_run(stack, "globex", run, "succeeded", 10);
    nv_rpc_client_t *jo = stack_client(stack, "tenant/acme/user/jo");
    for (int named = 0; named < 2; named++) {
        Nv__WatchRunRequest watch = NV__WATCH_RUN_REQUEST__INIT;
        Nv__GetArtifactRequest get = NV__GET_ARTIFACT_REQUEST__INIT;
        watch.run_id = get.run_id = run;
        watch.tenant = get.tenant = stack_text(named ? "globex" : "");
        get.name = stack_text("report.html");
        assert_true(nv_rpc_client_open(jo, "/nuvyn.v1.RunService/WatchRun", &watch.base,
                                       &nv__run_event__descriptor, 5000, &reader, &err));
        assert_false(nv_rpc_reader_next(reader, stack->ctx, &message, &err));
        assert_int_equal(err.code, named ? NV_PERMISSION_DENIED : NV_NOT_FOUND);
        nv_rpc_reader_free(reader);
        assert_true(nv_rpc_client_open(jo, "/nuvyn.v1.RunService/GetArtifact", &get.base,
                                       &nv__document_chunk__descriptor, 5000, &reader, &err));
        assert_false(nv_rpc_reader_next(reader, stack->ctx, &message, &err));
        assert_int_equal(err.code, named ? NV_PERMISSION_DENIED : NV_NOT_FOUND);
        nv_rpc_reader_free(reader);
    }
    nv_rpc_client_free(jo);
}

static void a_user_cannot_pose_as_a_worker_nor_a_worker_as_a_user(void **state)
{
    plane_stack_t *stack = *state;
    Nv__ListRunsRequest list = NV__LIST_RUNS_REQUEST__INIT;
    make_scene(stack);
    hostile_t *user = hostile_open(stack, "tenant/acme/user/jo", 1);
    for (int i = 0; i < 500 && !atomic_load(&user->closed); i++)
        usleep(10000);
    assert_int_equal(user->code, NV_PERMISSION_DENIED);
    hostile_close(user);
    nv_rpc_client_t *worker = stack_client(stack, "pool/default/worker/w");
    list.tenant = stack_text("acme");
    assert_int_equal(
        stack_try(stack, worker, "RunService/ListRuns", &list.base, &nv__list_runs_reply__descriptor, NULL),
        NV_PERMISSION_DENIED);
    nv_rpc_client_free(worker);
}

#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, stack_open, stack_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_STACK(a_dedicated_pool_gets_no_task_of_another_tenant),
        WITH_STACK(a_worker_of_an_unknown_pool_is_refused),
        WITH_STACK(a_copied_lease_opens_nothing),
        WITH_STACK(a_personal_token_stays_out_of_shared_pools),
        WITH_STACK(a_removed_credential_is_gone),
        WITH_STACK(a_model_of_the_workspace_takes_its_token),
        WITH_STACK(documents_are_for_holders_of_the_run_only),
        WITH_STACK(a_result_without_its_documents_is_a_failure),
        WITH_STACK(a_user_sees_nothing_of_another_tenant),
        WITH_STACK(a_user_cannot_watch_or_download_from_another_tenant),
        WITH_STACK(a_user_cannot_pose_as_a_worker_nor_a_worker_as_a_user),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
