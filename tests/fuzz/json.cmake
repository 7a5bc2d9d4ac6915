nv_fuzz(contract_json DEPS nv_contract)
nv_fuzz(contract_unpack DEPS nv_contract)
nv_fuzz(json DEPS nv_core)
