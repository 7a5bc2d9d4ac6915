nv_fuzz(graph_state DEPS nv_supervisor)
