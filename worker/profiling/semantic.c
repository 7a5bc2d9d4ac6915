#include "worker/profiling/semantic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/names.h"

static const char *const email_words[] = {"email", "mail", "emailaddress", NULL};
static const char *const phone_words[] = {"phone",     "fax",  "mobile",    "tel",
                                          "telephone", "cell", "homephone", NULL};
static const char *const url_words[] = {"url", "uri", "link", "website", "homepage", "href", NULL};
static const char *const ip_words[] = {"ip", "ipaddress", "ipv4", "ipv6", NULL};
static const char *const country_words[] = {"country", "nation", "countrycode", "billingcountry", NULL};
static const char *const currency_words[] = {"currency", "ccy", "currencycode", NULL};
static const char *const postal_words[] = {"postal", "postcode", "postalcode", "zip", "zipcode", "plz", NULL};
static const char *const person_words[] = {"firstname", "lastname",  "surname",     "fname", "lname",
                                           "fullname",  "givenname", "contactname", NULL};
static const char *const person_part[] = {"first",   "last",   "middle",   "given",    "family", "full",
                                          "contact", "person", "customer", "employee", "author", NULL};
static const char *const plain_name[] = {"name", NULL};
static const char *const city_words[] = {"city", "town", NULL};
static const char *const region_words[] = {"state", "region", "province", NULL};
static const char *const address_words[] = {"address", "street", "addr", NULL};
static const char *const birth_words[] = {"birth", "birthdate", "dob", "birthday", NULL};
static const char *const gender_words[] = {"gender", "sex", NULL};
static const char *const secret_words[] = {"ssn",        "passport", "iban",      "password",
                                           "salary",     "religion", "diagnosis", "tax",
                                           "creditcard", "card",     NULL};
static const char *const money_words[] = {"price",  "amount",  "cost",    "total",   "revenue", "fee",
                                          "salary", "freight", "payment", "balance", NULL};
static const char *const year_words[] = {"year", "yr", "jahr", NULL};
static const char *const latitude_words[] = {"lat", "latitude", NULL};
static const char *const longitude_words[] = {"lon", "lng", "longitude", NULL};
static const char *const flag_prefix[] = {"is", "has", "flag", "active", "enabled", "deleted", NULL};
static const char *const epoch_words[] = {"time",    "timestamp", "ts",   "epoch", "created",
                                          "updated", "at",        "date", NULL};

static bool is_text(const Nv__ColumnProfile *c)
{
    return c->type == NV__VALUE_TYPE__VALUE_TYPE_STRING;
}

static bool is_number(const Nv__ColumnProfile *c)
{
    return c->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || c->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
           c->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
}

/* Share of the frequent values that satisfy a test. */
static double share(const Nv__ColumnProfile *c, bool (*test)(const char *text))
{
    double good = 0;
    double all = 0;
    for (size_t i = 0; i < c->n_top; i++) {
        all += 1;
        good += test(c->top[i]->value);
    }
    return all > 0 ? good / all : 0;
}

static bool looks_email(const char *text)
{
    const char *at = strchr(text, '@');
    return at && at > text && strchr(at, '.') && !strchr(at + 1, '@') && !strchr(text, ' ');
}

static bool looks_url(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 ||
           strncmp(text, "www.", 4) == 0 || strncmp(text, "ftp://", 6) == 0;
}

static bool looks_uuid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

static bool looks_ip(const char *text)
{
    int parts = 0;
    for (const char *p = text; *p; parts++) {
        char *end;
        if (!isdigit((unsigned char)*p))
            return false;
        long value = strtol(p, &end, 10);
        if (value > 255 || end - p > 3)
            return false;
        p = *end == '.' ? end + 1 : end;
        if (*end && *end != '.')
            return false;
    }
    return parts == 4;
}

static bool looks_phone(const char *text)
{
    size_t digits = 0;
    for (const char *p = text; *p; p++) {
        if (isdigit((unsigned char)*p))
            digits++;
        else if (!strchr("+()-. /x", *p))
            return false;
    }
    return digits >= 7 && digits <= 16;
}

static bool looks_currency(const char *text)
{
    static const char known[] =
        " USD EUR GBP JPY CHF CAD AUD CNY INR SEK NOK DKK PLN BRL MXN NZD SGD HKD ZAR TRY CZK HUF ";
    char padded[8];
    if (strlen(text) != 3)
        return false;
    snprintf(padded, sizeof padded, " %s ", text);
    return strstr(known, padded) != NULL;
}

static const char *from_values(const Nv__ColumnProfile *c)
{
    if (!is_text(c) || !c->n_top)
        return NULL;
    static const struct {
        bool (*test)(const char *);
        const char *semantic;
    } tests[] = {{looks_email, "email"},
                 {looks_url, "url"},
                 {looks_uuid, "uuid"},
                 {looks_ip, "ip"},
                 {looks_currency, "currency"}};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++)
        if (share(c, tests[i].test) >= 0.8)
            return tests[i].semantic;
    return name_has_word(c->name, phone_words) && share(c, looks_phone) >= 0.6 ? "phone" : NULL;
}

static bool in_range(const Nv__ColumnProfile *c, double low, double high)
{
    return c->min[0] && strtod(c->min, NULL) >= low && strtod(c->max, NULL) <= high;
}

static const char *from_number(const Nv__ColumnProfile *c)
{
    bool whole = c->type == NV__VALUE_TYPE__VALUE_TYPE_INT64;
    if (whole && name_has_word(c->name, year_words) && in_range(c, 1000, 2200))
        return "year";
    if (whole && name_has_word(c->name, postal_words))
        return "postal_code";
    if (whole && name_has_word(c->name, phone_words))
        return "phone";
    if (whole && in_range(c, 0, 1) && (name_has_word(c->name, flag_prefix) || c->distinct_count == 2))
        return "flag";
    if (name_has_word(c->name, latitude_words) && in_range(c, -90, 90))
        return "latitude";
    if (name_has_word(c->name, longitude_words) && in_range(c, -180, 180))
        return "longitude";
    if (whole && name_has_word(c->name, epoch_words) && in_range(c, 5e8, 4.1e9))
        return "epoch_seconds";
    if (whole && name_has_word(c->name, epoch_words) && in_range(c, 5e11, 4.1e12))
        return "epoch_milliseconds";
    if (c->parse->n_currency_marks || name_has_word(c->name, money_words))
        return name_is_identifier(c->name) ? "" : "money";
    return c->parse->percent ? "percent" : "";
}

static const char *from_name(const Nv__ColumnProfile *c)
{
    static const struct {
        const char *const *words;
        const char *semantic;
    } names[] = {{email_words, "email"},
                 {phone_words, "phone"},
                 {url_words, "url"},
                 {ip_words, "ip"},
                 {country_words, "country"},
                 {currency_words, "currency"},
                 {postal_words, "postal_code"},
                 {person_words, "person_name"},
                 {city_words, "city"},
                 {region_words, "region"},
                 {address_words, "address"},
                 {gender_words, "gender"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (name_has_word(c->name, names[i].words))
            return names[i].semantic;
    if (name_has_word(c->name, plain_name) && name_has_word(c->name, person_part))
        return "person_name";
    return "";
}

static bool at_midnight(const Nv__ColumnProfile *c)
{
    for (size_t i = 0; i < c->n_top; i++)
        if (!strstr(c->top[i]->value, "T00:00:00"))
            return false;
    return c->n_top > 0;
}

static const char *pii_of(const Nv__ColumnProfile *c)
{
    static const char *const direct[] = {"email", "phone", "person_name", "address", "ip"};
    static const char *const indirect[] = {"postal_code", "city", "gender", "latitude", "longitude"};
    if (name_has_word(c->name, secret_words) && !strcmp(c->semantic, ""))
        return name_is_identifier(c->name) || is_text(c) ? "sensitive" : "";
    for (size_t i = 0; i < sizeof direct / sizeof direct[0]; i++)
        if (strcmp(c->semantic, direct[i]) == 0)
            return "direct";
    for (size_t i = 0; i < sizeof indirect / sizeof indirect[0]; i++)
        if (strcmp(c->semantic, indirect[i]) == 0)
            return "indirect";
    return name_has_word(c->name, birth_words) ? "indirect" : "";
}

void semantic_report(nv_mem_t *ctx, int64_t values, Nv__ColumnProfile *out)
{
    const char *semantic = "";
    const char *found = values ? from_values(out) : NULL;
    if (found)
        semantic = found;
    else if (is_number(out) && values)
        semantic = from_number(out);
    else if (is_text(out))
        semantic = from_name(out);
    else if (out->type == NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN)
        semantic = "flag";
    else if (out->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP && at_midnight(out))
        semantic = "date";
    out->semantic = nv_strdup(ctx, semantic);
    out->pii = nv_strdup(ctx, pii_of(out));
}
