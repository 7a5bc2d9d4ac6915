nv_fuzz(sse DEPS nv_llm)
nv_fuzz(llm_answer DEPS nv_llm)
