#include "workspace/token.h"

#include "tests/unit/workspace/check.h"

static bool check(const ws_token_key_t *key, const char *purpose, const char *token, int64_t now)
{
    nv_error_t err = NV_ERROR_INIT;
    bool ok = ws_token_check(key, purpose, token, now, &err);
    assert_true(ok || err.code == NV_UNAUTHENTICATED);
    return ok;
}

static void is_valid_until_its_time(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_token_key_t key = {.bytes = "0123456789abcdef0123456789abcde"};
    const char *token = ws_token_issue(mem, &key, "access", 1000);
    assert_true(check(&key, "access", token, 999));
    assert_false(check(&key, "access", token, 1000));
}

static void is_bound_to_purpose_and_key(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_token_key_t key = {.bytes = "0123456789abcdef0123456789abcde"};
    ws_token_key_t other = {.bytes = "another key another key another"};
    const char *token = ws_token_issue(mem, &key, "link:1/2", 1000);
    assert_false(check(&key, "link:1/3", token, 1));
    assert_false(check(&other, "link:1/2", token, 1));
    assert_string_not_equal(token, ws_token_issue(mem, &key, "link:1/2", 1000));
}

static void refuses_changes(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_token_key_t key = {.bytes = "0123456789abcdef0123456789abcde"};
    char *token = ws_token_issue(mem, &key, "access", 1000);
    for (size_t i = 0; i < strlen(token); i++) {
        char *changed = nv_strdup(mem, token);
        changed[i] = changed[i] == '1' ? '2' : '1';
        assert_false(check(&key, "access", changed, 1));
    }
    static const char *const bad[] = {"", "nvt.", "nvt", "nvt.1-2", "nvt..", "."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(check(&key, "access", bad[i], 1));
    }
    assert_false(check(&key, "access", NULL, 1));
}

static void compares_secrets(void **state)
{
    (void)state;
    assert_true(ws_secret_equal("abc", "abc"));
    assert_false(ws_secret_equal("abc", "abd"));
    assert_false(ws_secret_equal("abc", "ab"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_valid_until_its_time),
                                       cmocka_unit_test(is_bound_to_purpose_and_key),
                                       cmocka_unit_test(refuses_changes), cmocka_unit_test(compares_secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
