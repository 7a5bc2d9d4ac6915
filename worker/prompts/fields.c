/* What the fields of proposals mean, for their JSON Schema. */
#include "worker/prompts/prompts.h"

#include <string.h>

const char *prompt_describe_field(const char *field, void *arg)
{
    static const char *const texts[][2] = {
        {"nuvyn.v1.DesignProposal.joins", "one for each undecided join shown"},
        {"nuvyn.v1.DesignProposal.roles", "only tables whose role should be another than shown"},
        {"nuvyn.v1.DesignProposal.columns", "only columns whose name is not clear by itself"},
        {"nuvyn.v1.DesignProposal.measures", "numeric columns that are measured; no keys, no codes"},
        {"nuvyn.v1.JoinDecision.id", "the id shown, such as J3"},
        {"nuvyn.v1.JoinDecision.reason", "one sentence"},
        {"nuvyn.v1.RoleDecision.reason", "one sentence"},
        {"nuvyn.v1.TableNaming.table", "the table's name exactly as shown"},
        {"nuvyn.v1.TableNaming.business_name", "what a business user calls it"},
        {"nuvyn.v1.TableNaming.description", "one sentence: what one row is"},
        {"nuvyn.v1.MeasureDecision.unit", "currency code, unit or \"count\"; empty when not known"},
        {"nuvyn.v1.TargetDescription.target", "the target's name exactly as shown"},
        {"nuvyn.v1.TargetDescription.description", "one sentence: what one row is"},
        {"nuvyn.v1.ColumnDescription.description", "one short sentence"},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(field, texts[i][0]) == 0)
            return texts[i][1];
    return NULL;
}
