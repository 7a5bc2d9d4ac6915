#include "worker/agents/developer/blame.h"

#include <stddef.h>
#include <string.h>

/* In this order: a failed quality check is Python's RuntimeError too. */
static const struct {
    const char *sign;
    const char *blame;
} signs[] = {
    {"quality checks failed", "design"},
    {"columns missing in the file", "design"},
    {"columns that the mapping does not know", "design"},
    {"the snapshot lacks", ""},
    {"no header line", "design"},
    {"the table differs from the mapping", "design"},
    {"DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE", "design"},
    {"DELTA_FAILED_TO_MERGE_FIELDS", "design"},
    {"ARITHMETIC_OVERFLOW", "design"},
    {"NUMERIC_VALUE_OUT_OF_RANGE", "design"},
    {"CAST_INVALID_INPUT", "design"},
    {"CAST_OVERFLOW", "design"},
    {"Py4JNetworkError", ""},
    {"OutOfMemoryError", ""},
    {"No space left on device", ""},
    {"SparkContext was shut down", ""},
    {"Connection refused", ""},
    {"ConnectionRefusedError", ""},
    {"kernel", ""},
    {"CONCURRENT_APPEND", ""},
    {"Concurrent", ""},
    {"PERMISSION_DENIED", ""},
    {"SyntaxError", "generate"},
    {"IndentationError", "generate"},
    {"NameError", "generate"},
    {"TypeError", "generate"},
    {"AttributeError", "generate"},
    {"ImportError", "generate"},
    {"ModuleNotFoundError", "generate"},
    {"PARSE_SYNTAX_ERROR", "generate"},
    {"UNRESOLVED_COLUMN", "generate"},
    {"AMBIGUOUS_REFERENCE", "generate"},
    {"DATATYPE_MISMATCH", "generate"},
    {"TABLE_OR_VIEW_NOT_FOUND", "generate"},
    {"AnalysisException", "generate"},
    {"ParseException", "generate"},
};

const char *blame_of_error(const char *error)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(error, signs[i].sign))
            return signs[i].blame;
    return "";
}
