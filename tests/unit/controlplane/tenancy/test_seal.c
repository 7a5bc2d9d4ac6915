#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/store/tenants.h"
#include "controlplane/tenancy/seal.h"
#include "controlplane/tenancy/tenancy.h"
#include "temp_store.h"

#define KEY_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_B "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* 00 01 … 1f */

static const uint8_t key[TENANCY_KEY_BYTES] = {1, 2, 3}, other_key[TENANCY_KEY_BYTES] = {9};

static int setup(void **state)
{
    temp_store_t *t = temp_store_new(NULL);
    *state = t;
    store_tenant_t a = {.name = "acme"}, b = {.name = "evil"};
    return tenancy_tenant_create(t->store, &a, &t->err) && tenancy_tenant_create(t->store, &b, &t->err) ? 0
                                                                                                        : -1;
}

static int teardown(void **state)
{
    temp_store_free(*state);
    return 0;
}

static nv_bytes_t seal(temp_store_t *t, const char *text)
{
    nv_bytes_t sealed;
    assert_ok(t, tenancy_seal(t->ctx, key, "data", "acme", "llm", nv_bytes_text(text), &sealed, &t->err));
    return sealed;
}

static void test_roundtrip(void **state)
{
    temp_store_t *t = *state;
    nv_bytes_t sealed = seal(t, "gsk_secret"), again = seal(t, "gsk_secret"), plain;
    assert_int_equal(sealed.length, 10 + TENANCY_SEAL_OVERHEAD);
    assert_false(nv_bytes_equal(sealed, again)); /* a new nonce each time */
    assert_null(memmem(sealed.data, sealed.length, "gsk_", 4));
    assert_ok(t, tenancy_unseal(t->ctx, key, "data", "acme", "llm", sealed, &plain, &t->err));
    assert_true(nv_bytes_equal(plain, nv_bytes_text("gsk_secret")));
    sealed = seal(t, "");
    assert_ok(t, tenancy_unseal(t->ctx, key, "data", "acme", "llm", sealed, &plain, &t->err));
    assert_int_equal(plain.length, 0);
}

static void test_bound_to_what_it_is_for(void **state)
{
    temp_store_t *t = *state;
    nv_bytes_t sealed = seal(t, "x"), plain;
    assert_fails(t, NV_DATA_LOSS,
                 tenancy_unseal(t->ctx, key, "data", "evil", "llm", sealed, &plain, &t->err));
    assert_fails(t, NV_DATA_LOSS,
                 tenancy_unseal(t->ctx, key, "data", "acme", "databricks", sealed, &plain, &t->err));
    assert_fails(t, NV_DATA_LOSS, tenancy_unseal(t->ctx, key, "key", "acme", "llm", sealed, &plain, &t->err));
    assert_fails(t, NV_DATA_LOSS,
                 tenancy_unseal(t->ctx, key, "data", "acmel", "lm", sealed, &plain, &t->err));
    assert_fails(t, NV_FAILED_PRECONDITION,
                 tenancy_unseal(t->ctx, other_key, "data", "acme", "llm", sealed, &plain, &t->err));
}

static void test_every_bit_counts(void **state)
{
    temp_store_t *t = *state;
    nv_bytes_t sealed = seal(t, "secret"), plain;
    for (size_t bit = 0; bit < sealed.length * 8; bit++) {
        uint8_t *copy = nv_memdup(t->ctx, sealed.data, sealed.length);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        nv_error_clear(&t->err);
        assert_false(tenancy_unseal(t->ctx, key, "data", "acme", "llm", nv_bytes(copy, sealed.length), &plain,
                                    &t->err));
    }
    for (size_t n = 0; n < sealed.length; n++)
        assert_fails(
            t, NV_DATA_LOSS,
            tenancy_unseal(t->ctx, key, "data", "acme", "llm", nv_bytes(sealed.data, n), &plain, &t->err));
}

static tenancy_keys_t *keys_of(temp_store_t *t, const char *newest, const char *old)
{
    tenancy_keys_options_t options = {.key = old ? nv_printf(t->ctx, "%s,%s", newest, old) : newest};
    tenancy_keys_t *keys;
    assert_ok(t, tenancy_keys_open(&options, &keys, &t->err));
    return keys;
}

static void test_credentials(void **state)
{
    temp_store_t *t = *state;
    TENANCY_KEYS_SCOPE tenancy_keys_t *keys = keys_of(t, KEY_A, NULL);
    nv_bytes_t got;
    assert_fails(t, NV_NOT_FOUND,
                 tenancy_credential_get(t->store, keys, t->ctx, "acme", "llm", &got, &t->err));
    assert_ok(t, tenancy_credential_set(t->store, keys, "acme", "llm", nv_bytes_text("one"), 1, &t->err));
    assert_ok(t, tenancy_credential_set(t->store, keys, "acme", "llm", nv_bytes_text("two"), 2, &t->err));
    assert_ok(t, tenancy_credential_get(t->store, keys, t->ctx, "acme", "llm", &got, &t->err));
    assert_true(nv_bytes_equal(got, nv_bytes_text("two")));
    assert_fails(t, NV_NOT_FOUND,
                 tenancy_credential_get(t->store, keys, t->ctx, "evil", "llm", &got, &t->err));
    assert_fails(t, NV_NOT_FOUND, tenancy_credential_set(t->store, keys, "nobody", "llm", got, 2, &t->err));
}

/* Someone with write access to the database moves acme's sealed secret under his own name. */
static void test_moved_blob_does_not_open(void **state)
{
    temp_store_t *t = *state;
    TENANCY_KEYS_SCOPE tenancy_keys_t *keys = keys_of(t, KEY_A, NULL);
    nv_bytes_t got;
    assert_ok(t, tenancy_credential_set(t->store, keys, "acme", "llm", nv_bytes_text("acme's"), 1, &t->err));
    assert_ok(t, tenancy_credential_set(t->store, keys, "evil", "llm", nv_bytes_text("evil's"), 1, &t->err));
    store_credential_t stolen;
    assert_ok(t, store_credential_get(t->store, t->ctx, "acme", "llm", &stolen, &t->err));
    assert_ok(t, store_credential_put(t->store, "evil", &stolen, &t->err));
    nv_error_clear(&t->err);
    assert_false(tenancy_credential_get(t->store, keys, t->ctx, "evil", "llm", &got, &t->err));
    store_tenant_t acme, evil;
    assert_ok(t, store_tenant_get(t->store, t->ctx, "acme", &acme, &t->err));
    assert_ok(t, store_tenant_get(t->store, t->ctx, "evil", &evil, &t->err));
    assert_ok(t, store_tenant_set_key(t->store, "evil", evil.wrapped_key, acme.wrapped_key, &t->err));
    assert_fails(t, NV_DATA_LOSS,
                 tenancy_credential_get(t->store, keys, t->ctx, "evil", "llm", &got, &t->err));
}

static void test_rotation(void **state)
{
    temp_store_t *t = *state;
    nv_bytes_t got;
    {
        TENANCY_KEYS_SCOPE tenancy_keys_t *keys = keys_of(t, KEY_A, NULL);
        assert_ok(t, tenancy_credential_set(t->store, keys, "acme", "llm", nv_bytes_text("s"), 1, &t->err));
    }
    {
        TENANCY_KEYS_SCOPE tenancy_keys_t *wrong = keys_of(t, KEY_B, NULL);
        assert_fails(t, NV_FAILED_PRECONDITION,
                     tenancy_credential_get(t->store, wrong, t->ctx, "acme", "llm", &got, &t->err));
    }
    {
        TENANCY_KEYS_SCOPE tenancy_keys_t *both = keys_of(t, KEY_B, KEY_A);
        assert_ok(t, tenancy_credential_get(t->store, both, t->ctx, "acme", "llm", &got, &t->err));
        int64_t count;
        assert_ok(t, tenancy_rewrap(t->store, both, &count, &t->err));
        assert_int_equal(count, 1);
        assert_ok(t, tenancy_rewrap(t->store, both, &count, &t->err));
        assert_int_equal(count, 0);
    }
    TENANCY_KEYS_SCOPE tenancy_keys_t *now = keys_of(t, KEY_B, NULL);
    assert_ok(t, tenancy_credential_get(t->store, now, t->ctx, "acme", "llm", &got, &t->err));
    assert_true(nv_bytes_equal(got, nv_bytes_text("s")));
}

static void test_key_file(void **state)
{
    temp_store_t *t = *state;
    char *path = nv_printf(t->ctx, "%s/kek", t->folder);
    tenancy_keys_options_t options = {.path = path};
    tenancy_keys_t *first, *second;
    assert_ok(t, tenancy_keys_open(&options, &first, &t->err));
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_ok(t, tenancy_keys_open(&options, &second, &t->err));
    assert_string_equal(tenancy_keys_id(first), tenancy_keys_id(second)); /* the same key again */
    tenancy_keys_free(first);
    tenancy_keys_free(second);
    chmod(path, 0640);
    assert_fails(t, NV_PERMISSION_DENIED, tenancy_keys_open(&options, &first, &t->err));
    assert_non_null(strstr(t->err.message, "expected 0600"));
    chmod(path, 0600);
    FILE *file = fopen(path, "w");
    fputs("hunter2\n", file);
    fclose(file);
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_keys_open(&options, &first, &t->err));
    assert_null(strstr(t->err.message, "hunter2"));
    options.path = nv_printf(t->ctx, "%s/missing/kek", t->folder);
    assert_fails(t, NV_NOT_FOUND, tenancy_keys_open(&options, &first, &t->err));
    options = (tenancy_keys_options_t){.key = "", .path = ""};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_keys_open(&options, &first, &t->err));
    options = (tenancy_keys_options_t){.key = "zz"};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_keys_open(&options, &first, &t->err));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_roundtrip),   CASE(test_bound_to_what_it_is_for),  CASE(test_every_bit_counts),
        CASE(test_credentials), CASE(test_moved_blob_does_not_open), CASE(test_rotation),
        CASE(test_key_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
