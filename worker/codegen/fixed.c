/* The files that are the same in every project: runtime/, byte for byte; see CMakeLists.txt. */
#include "worker/codegen/emit.h"

extern const char codegen_nuvyn_core[];
extern const char codegen_nuvyn_bronze[];
extern const char codegen_nuvyn_silver[];
extern const char codegen_nuvyn_star[];
extern const char codegen_nuvyn_quality[];
extern const char codegen_nuvyn_upkeep[];
extern const char codegen_local_spark[];
extern const char codegen_conftest[];
extern const char codegen_test_notebooks[];
extern const char codegen_test_pipeline[];

static const char pyproject[] =
    "[project]\n"
    "name = \"pipeline\"\n"
    "version = \"1\"\n"
    "requires-python = \">=3.10\"\n"
    "\n"
    "[dependency-groups]\n"
    "test = [\"pyspark==4.0.*\", \"delta-spark==4.0.*\", \"pytest\", \"pyflakes\"]\n"
    "\n"
    "[tool.pytest.ini_options]\n"
    "testpaths = [\"tests\"]\n"
    "\n"
    "[tool.ruff]\n"
    "line-length = 130\n"
    "builtins = [\"spark\", \"dbutils\"]\n"
    "\n"
    "# Names of a notebook come from what it pulls in with %run; tests/test_notebooks.py looks at them "
    "together.\n"
    "[tool.ruff.lint.per-file-ignores]\n"
    "\"notebooks/*\" = [\"F821\", \"F401\", \"E402\"]\n";

static const struct {
    const char *path;
    const char *content;
    bool notebook;
} fixed[] = {
    {"notebooks/nuvyn_core.py", codegen_nuvyn_core, true},
    {"notebooks/nuvyn_bronze.py", codegen_nuvyn_bronze, true},
    {"notebooks/nuvyn_silver.py", codegen_nuvyn_silver, true},
    {"notebooks/nuvyn_star.py", codegen_nuvyn_star, true},
    {"notebooks/nuvyn_quality.py", codegen_nuvyn_quality, true},
    {"notebooks/nuvyn_upkeep.py", codegen_nuvyn_upkeep, true},
    {"tests/local_spark.py", codegen_local_spark, false},
    {"tests/conftest.py", codegen_conftest, false},
    {"tests/test_notebooks.py", codegen_test_notebooks, false},
    {"tests/test_pipeline.py", codegen_test_pipeline, false},
    {"pyproject.toml", pyproject, false},
};

const size_t fixed_count = sizeof fixed / sizeof fixed[0];

Nv__ProjectFile *fixed_file(nv_mem_t *ctx, size_t i)
{
    return project_file(ctx, fixed[i].path, fixed[i].content, fixed[i].notebook);
}
