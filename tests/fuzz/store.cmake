nv_fuzz(env_file DEPS nv_config)
nv_fuzz(config DEPS nv_config)
nv_fuzz(traceparent DEPS nv_telemetry)
nv_fuzz(sealed DEPS nv_tenancy)
