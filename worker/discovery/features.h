/* What the models of discovery see of a join, of the choice among the tables that a column may reference, of a key and of a
 * table's role: each feature by its name and in words. Shares, probabilities and truths are 0 to 1, counts and sizes are scaled
 * to about that. The weights (model_weights*.c) are written by these names, so that a feature may be added or taken away anywhere.
 * Internal to nv_discovery and to tests/bench/design/fit. */
#ifndef WORKER_DISCOVERY_FEATURES_H
#define WORKER_DISCOVERY_FEATURES_H

/* clang-format off */
#define JOIN_FEATURE_LIST(X) \
    X(JF_BIAS, "always one") \
    X(JF_NAME_EQUAL, "both columns have the same name") \
    X(JF_NAME_SUFFIX, "the column's name ends in the key's") \
    X(JF_NAME_JACCARD, "words that both names share") \
    X(JF_NAME_JARO, "letters that both names share") \
    X(JF_SPEAKS, "the column's name speaks of the target table") \
    X(JF_SPEAKS_FULLY, "and of every word of its name") \
    X(JF_SYNONYM, "by a synonym") \
    X(JF_FROM_KEYLIKE, "the column is named like a key") \
    X(JF_TO_KEYLIKE, "the key is named like one") \
    X(JF_SPEAKS_OF_OWN, "the column's name speaks of its own table") \
    X(JF_BETTER_ALTERNATIVE, "how much better its name fits another table") \
    X(JF_HEADER_SHARE, "share of tables with a column of this name") \
    X(JF_NAME, "the names' evidence altogether") \
    X(JF_UNNAMED, "no names speak for it") \
    X(JF_MEASURE, "the column's name is that of a measure") \
    X(JF_PERSON, "a person's role refers to people") \
    X(JF_SELF_HINT, "a word for its own kind: parent, manager") \
    X(JF_CLEAR_ALTERNATIVE, "its name clearly fits another table better") \
    X(JF_SPEAKS_UNUSED, "words of the table's name that it leaves out") \
    X(JF_CONTAINMENT, "share of the column's values found in the key") \
    X(JF_CONTAINED, "every value is") \
    X(JF_NOT_CONTAINED, "too many are not") \
    X(JF_REVERSE, "share of the key's values found in the column") \
    X(JF_SURPRISE, "bits by which that is no coincidence") \
    X(JF_COINCIDENCE, "unnamed, and may be one") \
    X(JF_DISTANCE, "distance between the distributions") \
    X(JF_FROM_DISTINCT, "distinct values of the column") \
    X(JF_TO_ROWS, "rows of the target") \
    X(JF_ROWS_RATIO, "rows of the source against those of the target") \
    X(JF_INTEGER, "whole numbers") \
    X(JF_TEXT, "text") \
    X(JF_UNIQUE_SOURCE, "the column's values do not repeat") \
    X(JF_UNIQUE_FIRST, "nor is it anything but the first column") \
    X(JF_NULL_SHARE, "share of rows without a value") \
    X(JF_FEW_VALUES, "a handful of values") \
    X(JF_KINDS_DIFFER, "kinds of value differ") \
    X(JF_LENGTHS_DIFFER, "lengths differ") \
    X(JF_WHOLE_COINCIDENCE, "holds nearly the whole key, as running numbers do") \
    X(JF_UNNAMED_REVERSE, "unnamed: share of the key found in the column") \
    X(JF_SURPRISING, "certainly no coincidence") \
    X(JF_BOTH_RUN, "both run from one on") \
    X(JF_TO_PRIMARY, "how surely the target's key is its primary one") \
    X(JF_TO_FIRST, "it is the target's first column") \
    X(JF_SELF, "a row refers to its own table") \
    X(JF_SELF_UNHINTED, "without a word for it") \
    X(JF_MADE_UP, "names were made up: no header line") \
    X(JF_MADE_UP_SURPRISE, "made up: bits") \
    X(JF_MADE_UP_REVERSE, "made up: share of the key") \
    X(JF_COMPOSITE, "several columns") \
    X(JF_FROM_PRIMARY, "how surely the column is its own table's key") \
    X(JF_FROM_PRIMARY_NAMED, "that, though its name fits the target best") \
    X(JF_VACUOUS, "the column is empty") \
    X(JF_VACUOUS_NAME, "empty: the names' evidence") \
    X(JF_DATE, "dates") \
    X(JF_TO_REPEATS, "the key's values repeat") \
    X(JF_RIVAL_LEAD, "how much more a rival of its table speaks of the target") \
    X(JF_RIVAL_LAG, "how much less") \
    X(JF_TARGET_EXTENDS, "the target's key is named after another table") \
    X(JF_SAME_KEY_WORD, "both names end in the same word for a key") \
    X(JF_OTHER_KEY_WORD, "they end in different ones") \
    X(JF_UNNAMED_OTHER_KEY_WORD, "unnamed, and they end in different ones") \
    X(JF_UNNAMED_STRONG_KEY, "unnamed, with a strong word for a key") \
    X(JF_UNNAMED_SAME_KEY_WORD, "unnamed, with the same word for a key") \
    X(JF_UNNAMED_SPECIFIC_COINCIDENCE, "unnamed, names a thing, may be coincidence") \
    X(JF_UNNAMED_SPECIFIC_KEY, "unnamed, names a thing's key") \
    X(JF_HEADLESS, "speaks of the target, but of something of it") \
    X(JF_LABELLED, "the target has a column of this name beside its key") \
    X(JF_NATURAL, "named as the table, whose key is a natural one") \
    X(JF_CROSSED, "the column without, the key with its table's prefix") \
    X(JF_ENDS_AGREE, "begins and ends where the key does") \
    X(JF_ENDS_AGREE_UNNAMED, "that, unnamed") \
    X(JF_LEAST_PART, "the least evidence of the parts' names") \
    X(JF_COMBINED, "bits by which the combinations are no coincidence") \
    X(JF_COVERED, "every combination is found") \
    X(JF_SELF_UNHINTED_SPEAKS, "its own table's noun, without a word for it")

#define CHOICE_FEATURE_LIST(X) \
    X(CF_JOIN_SCORE, "the score of the join by itself") \
    X(CF_JOIN_P, "its probability") \
    X(CF_LEADS, "no rival is more probable") \
    X(CF_CONTAINMENT_LEAD, "values found, against the best rival") \
    X(CF_ONLY_CONTAINED, "alone holds every value") \
    X(CF_SAME_KEYS, "a rival has the very same keys") \
    X(CF_KEYS_SUBSET, "a rival's keys hold these, which hold every value") \
    X(CF_KEYS_SUBSET_MISSING, "and which do not") \
    X(CF_KEYS_SUPERSET, "these hold the keys of a rival that holds every value") \
    X(CF_KEYS_SUPERSET_MISSING, "and of one that does not") \
    X(CF_KEY_REFERS, "the target's key is itself a reference") \
    X(CF_POPULARITY, "how much the target is referred to") \
    X(CF_SIBLING_SUPPORT, "columns of this name elsewhere lead there") \
    X(CF_SIBLING_CONTAINED, "and are contained there") \
    X(CF_SIBLING_REVERSE, "and hold that share of its key") \
    X(CF_HAS_SIBLINGS, "there are such columns") \
    X(CF_TARGET_ROWS, "rows of the target") \
    X(CF_TARGET_COLUMNS, "columns of the target") \
    X(CF_TARGET_EVENT, "the target is about events") \
    X(CF_SELF, "its own table") \
    X(CF_UNIQUE_SOURCE, "the column's values do not repeat") \
    X(CF_TARGET_EXTENDS, "the target's key is named after another table") \
    X(CF_TO_PRIMARY, "how surely the target's key is its primary one") \
    X(CF_MADE_UP, "names were made up") \
    X(CF_MADE_UP_REVERSE, "made up: share of the key") \
    X(CF_MADE_UP_SCORE, "made up: score") \
    X(CF_UNNAMED_SCORE, "unnamed: score") \
    X(CF_COMPOSITE, "several columns") \
    X(CF_NAME_LEAD, "names' evidence, against the best rival") \
    X(CF_REVERSE_LEAD, "share of the key, against the best rival") \
    X(CF_POPULARITY_LEAD, "popularity, against the best rival") \
    X(CF_SUPPORT_LEAD, "support by siblings, against the best rival") \
    X(CF_RIVALS, "number of rivals") \
    X(CF_NONE, "none of them") \
    X(CF_NONE_TOP_SCORE, "none: the best score") \
    X(CF_NONE_KEYLIKE, "none: the column is named like a key") \
    X(CF_NONE_MEASURE, "none: the column is named like a measure") \
    X(CF_NONE_RIVALS, "none: number of candidates") \
    X(CF_UNNAMED_SIBLING_CONTAINED, "unnamed: siblings are contained there") \
    X(CF_DISTANCE, "distance between the distributions") \
    X(CF_UNIQUE_POPULARITY, "one to one: how much the source is referred to") \
    X(CF_UNIQUE_POPULARITY_LEAD, "one to one: how much more the target is") \
    X(CF_UNIQUE_TARGET_WIDER, "one to one: the target has more columns") \
    X(CF_NAMED_AFTER, "the source table is named after the target") \
    X(CF_NAMED_AFTER_LEAD, "that, against the best rival") \
    X(CF_UNIQUE_NAMED_LEAD, "one to one: which of the keys is named after its table") \
    X(CF_KEY_POPULARITY, "how much the key itself is referred to") \
    X(CF_HEADLESS, "speaks of the target, but of something of it") \
    X(CF_NATURAL, "named as the table, whose key is a natural one") \
    X(CF_TIGHTEST, "the tightest that holds every value") \
    X(CF_UNIQUE_TIGHTEST, "one to one: that")

#define KEY_FEATURE_LIST(X) \
    X(KF_BIAS, "always one") \
    X(KF_VIOLATED, "some rows repeat") \
    X(KF_VIOLATIONS, "how many do") \
    X(KF_NULLS, "some rows lack a part") \
    X(KF_PREFIX, "the table's first columns") \
    X(KF_POSITION, "how far behind the first column") \
    X(KF_PLAIN_KEY_WORD, "called nothing but \"id\" or \"key\"") \
    X(KF_OWN_NAME, "named after its table") \
    X(KF_KEYLIKE, "parts named like keys") \
    X(KF_STRONG_KEY_WORD, "parts with a strong word for a key") \
    X(KF_INTEGERS, "whole numbers") \
    X(KF_LONG_TEXTS, "long texts") \
    X(KF_DATES, "dates") \
    X(KF_MEASURES, "named like measures") \
    X(KF_DESCRIPTIVE, "named like descriptions") \
    X(KF_EXTRA_COLUMNS, "columns beyond the first") \
    X(KF_NAMES_OTHER, "parts named after other tables") \
    X(KF_SEQUENCE, "a part counts") \
    X(KF_ROWS, "rows of the table") \
    X(KF_FEW_ROWS_UNKEYLIKE, "unique among a handful of rows, and not named like a key") \
    X(KF_CANDIDATES, "number of candidates") \
    X(KF_SINGLE_NAMES_OTHER, "one column, named after another table") \
    X(KF_REFERENCED, "how surely others refer to it") \
    X(KF_REFERS, "how surely its parts refer to others") \
    X(KF_ALL_REFER, "every part is a reference") \
    X(KF_RUNS, "one column of running numbers") \
    X(KF_ALL_COLUMNS, "all columns of the table") \
    X(KF_MADE_UP_FIRST, "the first column, whose name was made up") \
    X(KF_SINGLE, "one column") \
    X(KF_CONSTANT_WIDTH, "one column of constant width") \
    X(KF_FEW_ROWS, "a handful of rows") \
    X(KF_SINGLE_REFERS, "one column: how surely it refers to others") \
    X(KF_SEQUENCE_REFERS, "a reference and a part that counts") \
    X(KF_DESCRIBES, "several columns with measures or descriptions") \
    X(KF_UNRELATED, "several columns that refer to nothing") \
    X(KF_SINGLE_FIRST, "one column, the first") \
    X(KF_PREFIX_NAMES_OTHER, "the first columns, named after other tables") \
    X(KF_EMPTY, "the table is empty") \
    X(KF_NONE, "no key") \
    X(KF_NONE_ROWS, "none: rows") \
    X(KF_NONE_FEW_ROWS, "none: a handful of rows") \
    X(KF_NONE_NO_SINGLE, "none: no single column is unique") \
    X(KF_NONE_NO_KEYLIKE, "none: a unique column is there, but none named like a key") \
    X(KF_NONE_LOG, "none: the table is a log") \
    X(KF_CONTAINS_SMALLER, "a smaller set is as good as unique") \
    X(KF_EMPTY_COMPOSITE, "the table is empty: several columns") \
    X(KF_EMPTY_NAMES_OTHER, "the table is empty: named after other tables") \
    X(KF_DATED_REFERENCE, "a date and a reference") \
    X(KF_OWN_NAME_UNIQUE, "named after its table, and unique without exception") \
    X(KF_KEYLIKE_PREFIX, "the first columns, named like keys") \
    X(KF_COMPOSITE_REFERS, "the whole set refers to another table") \
    X(KF_ADDS_COUNTER, "adds a counting number to a set with repeats") \
    X(KF_ADDS_OTHER, "adds something else to a set with repeats") \
    X(KF_HEADER_SHARE, "share of tables with a column of this name") \
    X(KF_HEADER_SHARE_POSITION, "that, by position") \
    X(KF_REPEATED, "tables that repeat its names") \
    X(KF_INSIDE_REPEATED, "tables that repeat the names of a larger set around it") \
    X(KF_DATE_KEY, "a part is the key of a date or time") \
    X(KF_COMPOSITE_REFERS_WIDE, "the whole set refers, and is wide") \
    X(KF_REPEATS_EXPECTED, "several columns: repeats that chance would bring") \
    X(KF_ACCIDENT, "several columns: chance that they do not repeat by accident") \
    X(KF_SURPRISE, "several columns: repeats expected against repeats found") \
    X(KF_GRID, "several columns: share of all their combinations that occurs") \
    X(KF_SINGLE_ACCIDENT, "one column: chance that it does not repeat by accident") \
    X(KF_SINGLE_SURPRISE, "one column: repeats that chance would bring") \
    X(KF_SINGLE_REFERS_ACCIDENT, "one reference that may not repeat by accident") \
    X(KF_SINGLE_AMONG_REFERENCES, "one reference beside others") \
    X(KF_SINGLE_AMONG_REFERENCES_ACCIDENT, "that, which may not repeat by accident") \
    X(KF_AROUND_ACCIDENT, "holds a smaller set that may be unique by accident") \
    X(KF_AROUND_KEY, "holds a smaller set that is unique and should not be") \
    X(KF_AROUND_OWN, "holds a column that is unique and named after its table") \
    X(KF_MONOTONIC, "one whole number that grows from row to row") \
    X(KF_MEASURES_ACCIDENT, "measures or descriptions that may be unique by accident") \
    X(KF_DATES_ACCIDENT, "dates that may be unique by accident")

#define ROLE_FEATURE_LIST(X) \
    X(RF_BIAS, "always one") \
    X(RF_ROWS, "number of rows") \
    X(RF_ROWS_RATIO, "rows against the other tables") \
    X(RF_REFERS, "references other tables") \
    X(RF_REFERENCED, "is referenced") \
    X(RF_ONLY_REFERS, "references others and nothing references it") \
    X(RF_ONLY_REFERENCED, "is referenced and references nothing") \
    X(RF_ALONE, "stands alone") \
    X(RF_KEY_OF_REFERENCES, "its key consists of foreign keys") \
    X(RF_PLAIN, "number of plain columns") \
    X(RF_MEASURES, "additive numbers") \
    X(RF_HAS_MEASURES, "has additive numbers") \
    X(RF_EVENT_DATE, "has the date of an event") \
    X(RF_DATES, "has dates") \
    X(RF_TEXTS, "descriptive columns") \
    X(RF_NAMED_EVENT, "its name means an event") \
    X(RF_NAMED_ENTITY, "its name means a thing") \
    X(RF_NAMED_LOG, "its name means technical data") \
    X(RF_NAMED_LINE, "its name means lines of a parent") \
    X(RF_MARKED_DIMENSION, "is marked as dimension") \
    X(RF_MARKED_FACT, "is marked as fact") \
    X(RF_MARKED_BRIDGE, "is marked as a link") \
    X(RF_ONLY_LINKS, "only links: no measures, no date") \
    X(RF_EVENTS_REFER, "events reference it") \
    X(RF_PERSON, "describes people") \
    X(RF_EMPTY, "is empty") \
    X(RF_ROWS_TO_PARENT, "rows against what it references") \
    X(RF_ROWS_TO_CHILD, "rows of what references it") \
    X(RF_NO_KEY, "has no key") \
    X(RF_COMPOSITE_KEY, "its key is composite") \
    X(RF_FEW_ROWS, "has a handful of rows") \
    X(RF_NAMED_AFTER_OTHERS, "is named after other tables") \
    X(RF_BARE_REFERENCES, "little beside references") \
    X(RF_SMALL_LIST, "a small list that others reference") \
    X(RF_DATED_REFERENCES, "several references and an event date") \
    X(RF_MEASURED_REFERENCES, "measures beside references") \
    X(RF_LEVELS, "levels at a point in time") \
    X(RF_EXTENDS, "extends another table one to one") \
    X(RF_YEAR_KEY, "keyed by year or season") \
    X(RF_NAMED_ROWS, "has a name or title") \
    X(RF_VERSION_KEY, "its key dates versions of a thing") \
    X(RF_ALONE_DATED_NUMBERS, "stands alone with dates and numbers") \
    X(RF_NO_KEY_NO_DATE, "neither key nor date") \
    X(RF_ALONE_NO_NUMBERS, "stands alone without numbers") \
    X(RF_NAMED_BETWEEN, "named, between what it references and what references it") \
    X(RF_NUMBERS_BY_VERSION, "numbers by version") \
    X(RF_RANGE, "has the bounds of a range") \
    X(RF_RANGE_RATE, "a rate by range") \
    X(RF_HEADER, "another table holds its lines") \
    X(RF_NAMED_REFERS, "columns named after other tables") \
    X(RF_NAMED_REFERENCED, "other tables have columns named after it") \
    X(RF_OWN_ID, "has an id of its own") \
    X(RF_NAMED_LINK, "is named and keyed like a link") \
    X(RF_HISTORY, "keeps versions of something") \
    X(RF_NAMED_EVENT_PART, "its name tells of an event") \
    X(RF_NAMED_REFERS_DATED, "names several things and an event date") \
    X(RF_NAMED_REFERS_MEASURED, "numbers beside what it names") \
    X(RF_NAMED_REFERS_NO_ID, "names several things and has no id") \
    X(RF_NAMED_REFERS_NOT, "its names refer to nothing") \
    X(RF_NAMED_ONLY_REFERENCED, "others refer to it by name, it to none") \
    X(RF_LINES, "holds the lines of another table")

/* clang-format on */

#define FEATURE_ID(id, words) id,
enum { JOIN_FEATURE_LIST(FEATURE_ID) JOIN_FEATURES };
enum { CHOICE_FEATURE_LIST(FEATURE_ID) CHOICE_FEATURES };
enum { KEY_FEATURE_LIST(FEATURE_ID) KEY_FEATURES };
enum { ROLE_FEATURE_LIST(FEATURE_ID) ROLE_FEATURES };
#undef FEATURE_ID

#endif
