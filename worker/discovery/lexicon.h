/* The few English words of the trade that names are made of: key words, measure words, events, persons, synonyms.
 * Evidence, never a verdict: the models weigh it against the data. Pure; any thread. */
#ifndef WORKER_DISCOVERY_LEXICON_H
#define WORKER_DISCOVERY_LEXICON_H

#include <stdbool.h>

typedef enum lexicon {
    LEXICON_KEY,             /* id, key, sk … at the end of a name */
    LEXICON_NOT_KEY,         /* words that merely end like one: paid, turkey */
    LEXICON_NO_ABBREVIATION, /* words that are too common to abbreviate another */
    LEXICON_STRONG_KEY,      /* key words that hardly mean anything else: id, key, sk */
    LEXICON_SEQUENCE,        /* line, seq, number: counts within a parent */
    LEXICON_MEASURE,         /* amount, qty, price: something one adds or averages */
    LEXICON_ADDITIVE,        /* those that may be summed */
    LEXICON_NON_ADDITIVE,    /* price, rate, percent, score: never summed */
    LEXICON_SNAPSHOT,        /* balance, stock, level: semi-additive */
    LEXICON_EVENT,           /* nouns of things that happen: order, payment, match */
    LEXICON_ENTITY,          /* nouns of things that are: customer, product, city */
    LEXICON_PERSON,          /* tables of people */
    LEXICON_PERSON_ROLE,     /* what people are called in a reference: manager, owner, rep */
    LEXICON_SELF,            /* parent, manager, previous: hints of a self-reference */
    LEXICON_LOG,             /* log, config, migration: technical tables */
    LEXICON_LINE,            /* line, item, detail: the finer half of header and line */
    LEXICON_DESCRIPTIVE,     /* name, title, description, type … */
    LEXICON_TABLE_NOISE,     /* dim, fact, tbl, stg: says nothing about the thing */
    LEXICON_TABLE_NOUN, /* stage, source: noise in front ("stage_orders"), a thing at the end ("deal_stage") */
    LEXICON_DIM_MARK,   /* dim */
    LEXICON_FACT_MARK,  /* fact, fct */
    LEXICON_BRIDGE_MARK, /* bridge, map, xref, link */
    LEXICON_VERSION,     /* valid_from, effective, updated: dates a version */
    LEXICON_GENERIC,     /* name, type, status … : says nothing about which thing */
    LEXICON_HISTORY,   /* history, event, log: the last word of a table that records changes or happenings */
    LEXICON_TIME_PART, /* year, season, week: when, as a part of a natural key */
    LEXICON_WITHIN_YEAR,    /* semester, quarter, half: no time without its year */
    LEXICON_LINK_QUALIFIER, /* type, category, active: how two things are linked, no thing itself */
    LEXICON_TABLE_FORM,     /* flat, final, history: how a table was written down, not what it holds */
    LEXICON_LABEL,          /* year, zip, line, version: whole numbers that name, not measure */
    LEXICON_TOTAL,          /* total, net, amount: a price so called is an amount */
    LEXICON_FRACTION,       /* discount, tax: an amount, or a rate where all values lie between 0 and 1 */
    LEXICON_ORIGIN,         /* birth, created, opened: the date when a thing began does not change */
    LEXICON_BIRTH,          /* of a person: no event of the business */
    LEXICON_TRACKED,        /* city, segment, status: analysts ask what it was at the time of the event */
    LEXICON_IN_FORCE,       /* price, salary: a value in force for a time */
    LEXICON_LOADED,         /* synced, etl: bookkeeping of an export */
    LEXICON_MOMENT,         /* date, at, timestamp: says that a column is a date, not of what */
    LEXICON_EVERYWHERE, /* id, name, created: nearly every schema has such columns, which makes none alike */
    LEXICON_N,
} lexicon_t;

bool lexicon_has(lexicon_t list, const char *word);
/* Says nothing about the thing when it ends the name of a table. */
bool lexicon_is_noise_at_end(const char *word);
/* Irregular singular of word, or NULL; borrowed. */
const char *lexicon_singular(const char *word);
/* True when both words stand in one group of synonyms ("vendor", "supplier"). */
bool lexicon_synonyms(const char *a, const char *b);

#endif
