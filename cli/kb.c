#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const nv_option_t search_options[] = {
    {.name = "limit", .type = NV_OPTION_INT, .fallback = "10", .min = 1, .max = 100, .help = "cases"},
    {.name = "kind",
     .type = NV_OPTION_ENUM,
     .values = "any|golden|correction",
     .fallback = "any",
     .help = "kind of case"},
};

static Nv__CaseKind kind_of(const char *text)
{
    if (strcmp(text, "golden") == 0)
        return NV__CASE_KIND__CASE_KIND_GOLDEN;
    return strcmp(text, "correction") == 0 ? NV__CASE_KIND__CASE_KIND_CORRECTION
                                           : NV__CASE_KIND__CASE_KIND_UNSPECIFIED;
}

static bool search(cli_t *cli, nv_error_t *err)
{
    Nv__SearchKnowledgeRequest request = NV__SEARCH_KNOWLEDGE_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.text = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.kind = kind_of(cli_option(cli, "kind"));
    request.limit = (int32_t)nv_config_int(cli->options, "limit");
    Nv__KnowledgeHits *hits = NULL;
    if (!cli_call(cli, "KnowledgeService/SearchKnowledge", &request.base, &nv__knowledge_hits__descriptor,
                  &hits, err))
        return false;
    if (cli_print_json(cli, &hits->base))
        return true;
    static const char *const titles[] = {">SIMILARITY", "KIND", "STAGE", "RUN", "LESSON", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < hits->n_hits; i++) {
        const Nv__KnowledgeCase *found = hits->hits[i]->found;
        const char *cells[] = {nv_printf(cli->ctx, "%.2f", hits->hits[i]->similarity),
                               found->kind == NV__CASE_KIND__CASE_KIND_GOLDEN ? "golden" : "correction",
                               found->stage, found->run_id, found->lesson};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no case is close to that");
    return true;
}

const cli_command_t cli_kb_commands[] = {
    {.noun = "kb",
     .verb = "search",
     .arguments = "TEXT",
     .help = "cases of the knowledge base close to a text",
     .run = search,
     .options = search_options,
     .n_options = 2,
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
