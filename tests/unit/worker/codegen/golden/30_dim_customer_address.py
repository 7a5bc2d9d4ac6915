# Databricks notebook source
# MAGIC %md
# MAGIC # dim_customer_address
# MAGIC dim_customer_address of the shop
# MAGIC
# MAGIC Mapping lines M0024 to M0032 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="dim_customer_address",
    comment="dim_customer_address of the shop",
    key=("customer_id",),
    surrogate="address_key",
    valid_from="valid_from",
    valid_to="valid_to",
    current="is_current",
    columns=(
        Mapped("M0024", "address_key", "BIGINT"),
        Mapped("M0025", "customer_id", "BIGINT", F.col("d.customer_id")),
        Mapped("M0026", "street", "STRING", F.col("d.street"), scd=2),
        Mapped("M0027", "postal_code", "STRING", F.col("d.postal_code"), scd=2),
        Mapped("M0028", "city", "STRING", F.col("d.city"), scd=2),
        Mapped("M0029", "country", "STRING", F.col("d.country"), scd=2),
        Mapped("M0030", "valid_from", "DATE"),
        Mapped("M0031", "valid_to", "DATE"),
        Mapped("M0032", "is_current", "BOOLEAN"),
    ),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="950b59c323b1dce2",
    silver={"d": "silver_customer_addresses"},
    by_member=True,
)
rows = (
    silver("silver_customer_addresses", "d")
    .transform(changes.only)
)
finish(
    "30_dim_customer_address",
    lambda: load_history(target, rows, changes, effective_from=F.col("d.valid_from"), all_versions=True),
)
