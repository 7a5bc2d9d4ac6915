/* What the codec refuses, and that the refusal names the path and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/contract/codec.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "nuvyn/worker.pb-c.h"

typedef struct refusal {
    const ProtobufCMessageDescriptor *type;
    const char *json;
    const char *message; /* a part of the error */
} refusal_t;

static const refusal_t refusals[] = {
    {&nv__sttm__descriptor, "{\"targets\":[{},{\"columns\":[{},{\"type\":\"VALUE_TYPE_FOO\"}]}]}",
     "doc.targets[1].columns[1].type: \"VALUE_TYPE_FOO\": expected one of VALUE_TYPE_UNSPECIFIED, "
     "VALUE_TYPE_STRING, "},
    {&nv__sttm__descriptor, "{\"targets\":[{\"columns\":[{\"type\":77}]}]}",
     "doc.targets[0].columns[0].type: 77: expected one of "},
    {&nv__sttm__descriptor, "{\"targets\":{}}", "doc.targets: an object: expected an array"},
    {&nv__sttm__descriptor, "{\"targets\":[null]}", "doc.targets[0]: null: expected a value"},
    {&nv__sttm__descriptor, "{\"name\":5}", "doc.name: 5: expected a string"},
    {&nv__sttm__descriptor, "{\"name\":\"a\\u0000b\"}", "doc.name: text holds a NUL character"},
    {&nv__sttm__descriptor, "{\"nmae\":\"x\"}", "doc.nmae: unknown field: Sttm has name, version, "},
    {&nv__sttm__descriptor, "{\"source_root\":\"x\",\"sourceRoot\":\"y\"}",
     "doc.sourceRoot: the field is given twice"},
    {&nv__sttm__descriptor, "[]", "doc: an array: expected an object"},
    {&nv__sttm__descriptor, "", "doc: the end: expected an object"},
    {&nv__sttm__descriptor, "{} {}", "doc: an object: expected the end of the document"},
    {&nv__sttm__descriptor, "{\"name\":\"x\",}", "doc: \"}\": expected a field name"},
    {&nv__sttm__descriptor, "{\"name\" \"x\"}", "doc: a string: expected \":\""},
    {&nv__sttm__descriptor, "{\n\"name\":\"\xff\"}", "doc.name: line 2, column 9: malformed UTF-8"},
    {&nv__sttm__descriptor, "{\"name\":\"\\ud800\"}", "high surrogate without a low one"},
    {&nv__sttm__descriptor, "{\"name\":\"a\nb\"}", "control character 0x0a in a string"},
    {&nv__sttm__descriptor, "{\"name\":\"abc", "string is not closed"},
    {&nv__sttm__descriptor, "{\"name\":nul}", "expected a JSON value, got \"n\""},
    {&nv__execution__descriptor, "{\"job_id\":9223372036854775808}",
     "doc.job_id: 9223372036854775808: expected a 64-bit"},
    {&nv__execution__descriptor, "{\"job_id\":1.5}", "doc.job_id: 1.5: expected a 64-bit integer"},
    {&nv__execution__descriptor, "{\"job_id\":\" 1\"}", "doc.job_id: \" 1\": expected a 64-bit integer"},
    {&nv__execution__descriptor, "{\"job_id\":01}", "malformed number"},
    {&nv__execution__descriptor, "{\"job_id\":1e999999999999}", "expected a 64-bit integer"},
    {&nv__execution__descriptor, "{\"job_id\":true}", "doc.job_id: a boolean: expected a 64-bit integer"},
    {&nv__score_line__descriptor, "{\"value\":NaN}", "expected a JSON value, got \"N\""},
    {&nv__score_line__descriptor, "{\"value\":\"nan\"}", "doc.value: \"nan\": expected a number"},
    {&nv__score_line__descriptor, "{\"value\":1e999}", "doc.value: 1e999: expected a number"},
    {&nv__validation__descriptor, "{\"passed\":\"true\"}", "doc.passed: \"true\": expected true or false"},
    {&nv__document_chunk__descriptor, "{\"data\":\"a\"}", "doc.data: \"a\": expected base64 text"},
    {&nv__document_chunk__descriptor, "{\"data\":\"ab=c\"}", "expected base64 text"},
    {&nv__worker_message__descriptor, "{\"hello\":{},\"accepted\":{}}",
     "doc.accepted: only one member of the oneof"},
    {&nv__sttm_target__descriptor, "{\"kind\":\"TARGET_KIND_FACT\",\"columns\":[{\"precision\":3000000000}]}",
     "doc.columns[0].precision: 3000000000: expected an integer from -2147483648 to 2147483647"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("refusal");
        nv_error_t err = NV_ERROR_INIT;
        ProtobufCMessage *out = NULL;
        const refusal_t *r = &refusals[i];
        if (nv_json_decode(ctx, r->type, "doc", r->json, strlen(r->json), 0, &out, &err))
            fail_msg("accepted: %s", r->json);
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
        if (!strstr(err.message, r->message))
            fail_msg("%s\n  got:      %s\n  expected: %s", r->json, err.message, r->message);
    }
}

static void test_unknown_fields_can_be_skipped(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("skip");
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *out;
    static const char good[] = "{\"x\":[1,{\"y\":[null,true,\"s\"]},[]],\"name\":\"n\",\"z\":{}}";
    static const char bad[] = "{\"x\":[1,],\"name\":\"n\"}";
    if (!nv_json_decode(ctx, &nv__sttm__descriptor, "doc", good, strlen(good), NV_CODEC_IGNORE_UNKNOWN, &out,
                        &err))
        fail_msg("%s", err.message);
    assert_string_equal(((Nv__Sttm *)out)->name, "n");
    assert_false(nv_json_decode(ctx, &nv__sttm__descriptor, "doc", bad, strlen(bad), NV_CODEC_IGNORE_UNKNOWN,
                                &out, &err));
}

static void test_depth_is_limited(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("depth");
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *out;
    char *json = nv_alloc(ctx, 200010);
    strcpy(json, "{\"x\":");
    memset(json + 5, '[', 200000);
    assert_false(nv_json_decode(ctx, &nv__sttm__descriptor, "doc", json, strlen(json),
                                NV_CODEC_IGNORE_UNKNOWN, &out, &err));
    assert_non_null(strstr(err.message, "nested deeper than 64"));
}

static void test_memory_is_limited(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("memory");
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *out;
    size_t n = 15 * 1000 * 1000;
    char *json = nv_alloc(ctx, 3 * n + 64); /* 45 MB that would become several GB */
    char *at = stpcpy(json, "{\"targets\":[{}");
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, ",{}");
    strcpy(at, "]}");
    assert_false(nv_json_decode(ctx, &nv__sttm__descriptor, "doc", json, strlen(json), 0, &out, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    uint8_t *wire = nv_alloc(ctx, 2 * n);
    for (size_t i = 0; i < n; i++) {
        wire[2 * i] = 6 << 3 | 2; /* targets, length 0 */
        wire[2 * i + 1] = 0;
    }
    assert_false(nv_unpack(ctx, &nv__sttm__descriptor, wire, 2 * n, &out, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
}

typedef struct bad_wire {
    const char *bytes;
    size_t length;
    const char *message;
} bad_wire_t;

static void test_malformed_wire(void **state)
{
    (void)state;
    static const bad_wire_t cases[] = {
        {"\x0a", 1, "Sttm.name: malformed: cut off"},
        {"\x0a\x05"
         "ab",
         4, "Sttm.name: malformed: cut off"},
        {"\x0a\x01\xff", 3, "Sttm.name: text is not UTF-8"},
        {"\x0a\x01\x00", 3, "Sttm.name: text holds a NUL"},
        {"\x32\x03\x0a\x01\xc0", 5, "Sttm.targets.id: text is not UTF-8"},
        {"\x0b", 1, "Sttm.name: malformed: wire type 3"},
        {"\x08\x01", 2, "Sttm"}, /* a varint where a string belongs */
        {"\x02\x00", 2, "field number 0"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "Sttm: malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("wire");
        nv_error_t err = NV_ERROR_INIT;
        ProtobufCMessage *out;
        if (nv_unpack(ctx, &nv__sttm__descriptor, (const uint8_t *)cases[i].bytes, cases[i].length, &out,
                      &err))
            fail_msg("case %zu was accepted", i);
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
        if (!strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s, expected %s", i, err.message, cases[i].message);
    }
}

static void test_encode_names_bad_text(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("encode");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Review review = NV__REVIEW__INIT;
    Nv__Check check = NV__CHECK__INIT;
    Nv__Check *checks[] = {&check};
    check.name = (char *)"\xc3(";
    review.n_checks = 1;
    review.checks = checks;
    char *json;
    assert_false(nv_json_encode(ctx, &review.base, 0, &json, NULL, &err));
    assert_string_equal(err.message, "Review.checks[0].name: text is not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),         cmocka_unit_test(test_unknown_fields_can_be_skipped),
        cmocka_unit_test(test_depth_is_limited), cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_malformed_wire),   cmocka_unit_test(test_encode_names_bad_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
