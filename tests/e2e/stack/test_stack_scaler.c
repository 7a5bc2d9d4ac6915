/* KEDA's calls, as KEDA makes them: with a certificate of a scaler, which opens nothing else. */
#include "nuvyn/externalscaler.pb-c.h"
#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SCALER "/externalscaler.ExternalScaler/"

typedef struct ref {
    Keda__ScaledObjectRef object;
    Keda__ScaledObjectRef__ScalerMetadataEntry entries[2], *list[2];
} ref_t;

static void fill_ref(ref_t *ref, const char *pool, const char *slots)
{
    keda__scaled_object_ref__init(&ref->object);
    for (int i = 0; i < 2; i++) {
        keda__scaled_object_ref__scaler_metadata_entry__init(&ref->entries[i]);
        ref->list[i] = &ref->entries[i];
    }
    ref->entries[0].key = stack_text("pool");
    ref->entries[0].value = stack_text(pool);
    ref->entries[1].key = stack_text("slots");
    ref->entries[1].value = stack_text(slots);
    ref->object.name = stack_text("workers");
    ref->object.scalermetadata = ref->list;
    ref->object.n_scalermetadata = 2;
}

static nv_code_t call(plane_stack_t *stack, nv_rpc_client_t *client, const char *method,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *output,
                      ProtobufCMessage **reply)
{
    nv_error_t err = NV_ERROR_INIT;
    char *path = nv_printf(stack->ctx, SCALER "%s", method);
    return nv_rpc_client_call(client, path, request, output, 5000, stack->ctx, reply, &err) ? NV_OK
                                                                                            : err.code;
}

static bool active(plane_stack_t *stack, nv_rpc_client_t *client, const char *pool)
{
    ref_t ref;
    ProtobufCMessage *reply;
    fill_ref(&ref, pool, "2");
    assert_int_equal(
        call(stack, client, "IsActive", &ref.object.base, &keda__is_active_response__descriptor, &reply),
        NV_OK);
    return ((Keda__IsActiveResponse *)reply)->result;
}

static int64_t tasks(plane_stack_t *stack, nv_rpc_client_t *client, const char *pool)
{
    ref_t ref;
    ProtobufCMessage *reply;
    Keda__GetMetricsRequest request = KEDA__GET_METRICS_REQUEST__INIT;
    fill_ref(&ref, pool, "2");
    request.scaledobjectref = &ref.object;
    request.metricname = stack_text("nuvyn-tasks");
    assert_int_equal(
        call(stack, client, "GetMetrics", &request.base, &keda__get_metrics_response__descriptor, &reply),
        NV_OK);
    const Keda__GetMetricsResponse *response = (Keda__GetMetricsResponse *)reply;
    assert_int_equal(response->n_metricvalues, 1);
    assert_int_equal((int64_t)response->metricvalues[0]->metricvaluefloat,
                     response->metricvalues[0]->metricvalue);
    return response->metricvalues[0]->metricvalue;
}

static void the_depth_of_a_pool_is_the_metric(void **state)
{
    plane_stack_t *stack = *state;
    nv_rpc_client_t *keda = stack_client(stack, "scaler/keda");
    stack_make_tenant(stack, "acme");
    stack_make_pool(stack, "acme-pool", "acme");
    stack_make_tenant(stack, "other");
    assert_false(active(stack, keda, "default"));
    assert_int_equal(tasks(stack, keda, "default"), 0);
    for (int i = 0; i < 3; i++)
        stack_submit(stack, "other", "tables=1", ""); /* nobody takes them: each waits with its survey */
    assert_int_equal(tasks(stack, keda, "default"), 3);
    assert_true(active(stack, keda, "default"));
    assert_false(active(stack, keda, "acme-pool")); /* each pool on its own */
    stack_start_worker(stack, 0, "default");
    for (int i = 0; i < 200 && active(stack, keda, "default"); i++)
        usleep(50000);
    assert_int_equal(tasks(stack, keda, "default"), 0);
    nv_rpc_client_free(keda);
}

static void the_target_is_what_a_worker_does_at_once(void **state)
{
    plane_stack_t *stack = *state;
    nv_rpc_client_t *keda = stack_client(stack, "scaler/keda");
    ref_t ref;
    ProtobufCMessage *reply;
    fill_ref(&ref, "default", "7");
    assert_int_equal(call(stack, keda, "GetMetricSpec", &ref.object.base,
                          &keda__get_metric_spec_response__descriptor, &reply),
                     NV_OK);
    const Keda__GetMetricSpecResponse *spec = (Keda__GetMetricSpecResponse *)reply;
    assert_int_equal(spec->n_metricspecs, 1);
    assert_string_equal(spec->metricspecs[0]->metricname, "nuvyn-tasks");
    assert_int_equal(spec->metricspecs[0]->targetsize, 7);
    fill_ref(&ref, "default", "many");
    assert_int_equal(call(stack, keda, "GetMetricSpec", &ref.object.base,
                          &keda__get_metric_spec_response__descriptor, &reply),
                     NV_INVALID_ARGUMENT);
    fill_ref(&ref, "nowhere", "1");
    assert_int_equal(
        call(stack, keda, "IsActive", &ref.object.base, &keda__is_active_response__descriptor, &reply),
        NV_NOT_FOUND);
    nv_rpc_client_free(keda);
}

static void a_stream_tells_each_change(void **state)
{
    plane_stack_t *stack = *state;
    nv_rpc_client_t *keda = stack_client(stack, "scaler/keda");
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_reader_t *reader;
    ProtobufCMessage *message;
    ref_t ref;
    stack_make_tenant(stack, "acme");
    fill_ref(&ref, "default", "2");
    assert_true(nv_rpc_client_open(keda, SCALER "StreamIsActive", &ref.object.base,
                                   &keda__is_active_response__descriptor, 30000, &reader, &err));
    assert_true(nv_rpc_reader_next(reader, stack->ctx, &message, &err));
    assert_false(((Keda__IsActiveResponse *)message)->result);
    stack_submit(stack, "acme", "tables=1", "");
    assert_true(nv_rpc_reader_next(reader, stack->ctx, &message, &err));
    assert_true(((Keda__IsActiveResponse *)message)->result);
    stack_start_worker(stack, 0, "default");
    assert_true(nv_rpc_reader_next(reader, stack->ctx, &message, &err));
    assert_false(((Keda__IsActiveResponse *)message)->result);
    nv_rpc_reader_free(reader);
    nv_rpc_client_free(keda);
}

static void a_scaler_may_do_nothing_else(void **state)
{
    plane_stack_t *stack = *state;
    nv_rpc_client_t *keda = stack_client(stack, "scaler/keda"),
                    *user = stack_client(stack, "tenant/acme/user/jo");
    Nv__ListTenantsRequest list = NV__LIST_TENANTS_REQUEST__INIT;
    ref_t ref;
    ProtobufCMessage *reply;
    assert_int_equal(stack_try(stack, keda, "AdminService/ListTenants", &list.base,
                               &nv__list_tenants_reply__descriptor, NULL),
                     NV_PERMISSION_DENIED);
    fill_ref(&ref, "default", "2");
    assert_int_equal(
        call(stack, user, "IsActive", &ref.object.base, &keda__is_active_response__descriptor, &reply),
        NV_PERMISSION_DENIED);
    nv_rpc_client_free(keda);
    nv_rpc_client_free(user);
}

#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, stack_open, stack_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STACK(the_depth_of_a_pool_is_the_metric),
        WITH_STACK(the_target_is_what_a_worker_does_at_once),
        WITH_STACK(a_stream_tells_each_change),
        WITH_STACK(a_scaler_may_do_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
