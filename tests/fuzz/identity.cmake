nv_fuzz(spiffe DEPS nv_identity)
nv_fuzz(certificate DEPS nv_identity)
