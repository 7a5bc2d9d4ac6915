nv_fuzz(workspace_multipart DEPS nv_workspace)
nv_fuzz(workspace_path DEPS nv_workspace)
