/* The codec's properties over seeded random messages of every contract, and its canonical forms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/contract/codec.h"
#include "common/core/json.h"
#include "nuvyn/control.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/worker.pb-c.h"
#include "random_message.h"

enum { ROUNDS = 300 };

static void assert_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("same");
    uint8_t *left;
    uint8_t *right;
    size_t n_left;
    size_t n_right;
    nv_pack(ctx, a, &left, &n_left);
    nv_pack(ctx, b, &right, &n_right);
    assert_int_equal(n_left, n_right);
    assert_memory_equal(left, right, n_left);
}

static void round_trip(const ProtobufCMessage *message, int flags)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("round trip");
    nv_error_t err = NV_ERROR_INIT;
    char *json;
    size_t length;
    ProtobufCMessage *back;
    if (!nv_json_encode(ctx, message, flags, &json, &length, &err))
        fail_msg("encode: %s", err.message);
    if (!nv_json_decode(ctx, message->descriptor, "doc", json, length, 0, &back, &err))
        fail_msg("decode: %s\n%s", err.message, json);
    assert_same(message, back);
}

static void test_json_round_trip(void **state)
{
    (void)state;
    static const int flags[] = {0, NV_CODEC_PRETTY, NV_CODEC_DEFAULTS, NV_CODEC_NUMBERS | NV_CODEC_PRETTY};
    for (size_t t = 0; contract_types[t]; t++)
        for (uint64_t i = 0; i < ROUNDS; i++) {
            NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("message");
            uint64_t seed = i * 1000 + t;
            round_trip(random_message(ctx, contract_types[t], &seed, 4), flags[i % 4]);
        }
}

static void test_wire_round_trip(void **state)
{
    (void)state;
    for (size_t t = 0; contract_types[t]; t++)
        for (uint64_t i = 0; i < ROUNDS; i++) {
            NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("message");
            nv_error_t err = NV_ERROR_INIT;
            uint64_t seed = i * 7919 + t;
            ProtobufCMessage *message = random_message(ctx, contract_types[t], &seed, 4);
            uint8_t *bytes;
            size_t length;
            ProtobufCMessage *back;
            nv_pack(ctx, message, &bytes, &length);
            if (!nv_unpack(ctx, contract_types[t], bytes, length, &back, &err))
                fail_msg("%s", err.message);
            assert_same(message, back);
            assert_same(message, nv_message_copy(ctx, message));
        }
}

/* Whatever bytes are cut or changed, unpack answers or refuses; it never reads outside (run under ASan). */
static void test_wire_mutations(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 400; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("mutations");
        uint64_t seed = i;
        const ProtobufCMessageDescriptor *type = contract_types[i % 16];
        uint8_t *bytes;
        size_t length;
        nv_pack(ctx, random_message(ctx, type, &seed, 3), &bytes, &length);
        for (size_t j = 0; j < 20 && length > 0; j++) {
            uint8_t *copy = nv_memdup(ctx, bytes, length);
            copy[(i * 31 + j * 17) % length] ^= (uint8_t)(1u << (j % 8));
            nv_error_t err = NV_ERROR_INIT;
            ProtobufCMessage *out;
            if (!nv_unpack(ctx, type, copy, length - (j % 3 ? 0 : length / 2), &out, &err))
                assert_true(err.code == NV_INVALID_ARGUMENT && err.message[0]);
        }
    }
}

static char *encode(nv_mem_t *ctx, const ProtobufCMessage *message, int flags)
{
    nv_error_t err = NV_ERROR_INIT;
    char *json;
    if (!nv_json_encode(ctx, message, flags, &json, NULL, &err))
        fail_msg("%s", err.message);
    return json;
}

static void test_canonical_forms(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("forms");
    Nv__Execution execution = NV__EXECUTION__INIT;
    execution.job_id = 8812345678901234567;
    execution.state = (char *)"SUCC\"ESS\n";
    assert_string_equal(encode(ctx, &execution.base, 0),
                        "{\"job_id\":\"8812345678901234567\",\"state\":\"SUCC\\\"ESS\\n\"}");
    assert_string_equal(encode(ctx, &execution.base, NV_CODEC_NUMBERS | NV_CODEC_PRETTY),
                        "{\n  \"job_id\": 8812345678901234567,\n  \"state\": \"SUCC\\\"ESS\\n\"\n}");
    Nv__ScoreLine line = NV__SCORE_LINE__INIT;
    line.value = NAN;
    line.weight = -INFINITY;
    assert_string_equal(encode(ctx, &line.base, 0), "{\"value\":\"NaN\",\"weight\":\"-Infinity\"}");
    line.value = 0.1;
    line.weight = 1e300;
    assert_string_equal(encode(ctx, &line.base, 0), "{\"value\":0.1,\"weight\":1e+300}");
    Nv__Check check = NV__CHECK__INIT;
    assert_string_equal(encode(ctx, &check.base, 0), "{}");
    check.status = NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    assert_string_equal(encode(ctx, &check.base, 0), "{\"status\":\"CHECK_STATUS_FAIL\"}");
    check.status = 99; /* from a newer build */
    assert_string_equal(encode(ctx, &check.base, 0), "{\"status\":99}");
}

static void test_defaults_are_written_on_demand(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("defaults");
    Nv__TableLoad load = NV__TABLE_LOAD__INIT;
    assert_string_equal(
        encode(ctx, &load.base, NV_CODEC_DEFAULTS),
        "{\"table\":\"\",\"rows\":\"0\",\"source_rows\":\"0\",\"quarantined\":\"0\",\"duplicates\":\"0\"}");
    Nv__KnowledgeHits hits = NV__KNOWLEDGE_HITS__INIT;
    assert_string_equal(encode(ctx, &hits.base, NV_CODEC_DEFAULTS), "{\"hits\":[]}");
}

static Nv__ScoreLine *decode_line(nv_mem_t *ctx, const char *json)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *out;
    if (!nv_json_decode(ctx, &nv__score_line__descriptor, "line", json, strlen(json), 0, &out, &err))
        fail_msg("%s", err.message);
    return (Nv__ScoreLine *)out;
}

static void test_accepted_spellings(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("spellings");
    nv_error_t err = NV_ERROR_INIT;
    static const char json[] =
        " {\"jobId\": 9007199254740993, \"run_id\":\"-9223372036854775808\", \"runPageUrl\":null,"
        "\"tasks\":[{\"runId\":1e3},{\"run_id\":2.0}], \"message\":\"\\ud83d\\ude00\"} ";
    ProtobufCMessage *out;
    if (!nv_json_decode(ctx, &nv__execution__descriptor, "run", json, strlen(json), 0, &out, &err))
        fail_msg("%s", err.message);
    Nv__Execution *run = (Nv__Execution *)out;
    assert_true(run->job_id == 9007199254740993);
    assert_true(run->run_id == INT64_MIN);
    assert_string_equal(run->run_page_url, "");
    assert_string_equal(run->message, "😀");
    assert_true(run->tasks[0]->run_id == 1000 && run->tasks[1]->run_id == 2);
    assert_true(isnan(decode_line(ctx, "{\"value\":\"NaN\"}")->value));
    assert_true(decode_line(ctx, "{\"value\":\"-Infinity\"}")->value == -INFINITY);
    assert_true(decode_line(ctx, "{\"value\":\"2.5e1\"}")->value == 25.0);
}

static void test_message_owns_its_parts(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *first = nv_mem_root("first");
    NV_MEM_SCOPE nv_mem_t *second = nv_mem_root("second");
    ProtobufCMessage *out;
    static const char json[] = "{\"name\":\"a long enough name\",\"detail\":\"x\"}";
    assert_true(
        nv_json_decode(first, &nv__score_line__descriptor, "line", json, strlen(json), 0, &out, &err));
    ProtobufCMessage *copy = nv_steal(second, nv_message_copy(first, out));
    nv_steal(second, out);
    nv_mem_free(first);
    assert_string_equal(((Nv__ScoreLine *)out)->name, "a long enough name");
    assert_string_equal(((Nv__ScoreLine *)copy)->name, "a long enough name");
    nv_mem_free(out);
}

static const char *describe(const char *field, void *arg)
{
    (*(int *)arg)++;
    return strcmp(field, "nuvyn.v1.Check.status") == 0 ? "how it ended" : NULL;
}

static void test_schema(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("schema");
    nv_error_t err = NV_ERROR_INIT;
    char *text;
    int asked = 0;
    assert_true(nv_json_schema(ctx, &nv__review__descriptor, describe, &asked, &text, &err));
    const nv_json_t *root;
    if (!nv_json_parse(ctx, "schema", text, strlen(text), &root, &err))
        fail_msg("%s", err.message);
    assert_int_equal(asked, 3 + 10);
    assert_string_equal(nv_json_string_or(root, "type", ""), "object");
    assert_int_equal(nv_json_size(nv_json_get(root, "required")), 3);
    assert_false(nv_json_bool_or(root, "additionalProperties", true));
    const nv_json_t *check = nv_json_get(root, "properties.checks.items");
    assert_int_equal(nv_json_size(nv_json_get(check, "required")), 10);
    assert_string_equal(nv_json_string_or(check, "properties.status.description", ""), "how it ended");
    assert_int_equal(nv_json_size(nv_json_get(check, "properties.status.enum")), 5);
    assert_string_equal(nv_json_string_or(check, "properties.milliseconds.type", ""), "integer");
}

static void test_schema_of_a_oneof(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("schema");
    nv_error_t err = NV_ERROR_INIT;
    char *text;
    const nv_json_t *root;
    assert_true(nv_json_schema(ctx, &nv__worker_message__descriptor, NULL, NULL, &text, &err));
    assert_true(nv_json_parse(ctx, "schema", text, strlen(text), &root, &err));
    assert_string_equal(nv_json_string_or(root, "properties.hello.anyOf[1].type", ""), "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_wire_round_trip),
        cmocka_unit_test(test_wire_mutations),
        cmocka_unit_test(test_canonical_forms),
        cmocka_unit_test(test_defaults_are_written_on_demand),
        cmocka_unit_test(test_accepted_spellings),
        cmocka_unit_test(test_message_owns_its_parts),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_schema_of_a_oneof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
