nv_fuzz(csv_profile DEPS nv_profiling)
nv_fuzz(jsonl DEPS nv_profiling)
nv_fuzz(value_parse DEPS nv_profiling)
