# Databricks notebook source
# MAGIC %md
# MAGIC # bridge_product_promotion
# MAGIC bridge_product_promotion of the shop
# MAGIC
# MAGIC Mapping lines M0101 to M0103 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Lookups

# M0101
product_key_lookup = Lookup(
    "product_key_lookup",
    dimension="dim_product",
    surrogate="product_key",
    business_key={"product_id": F.col("d.product_id")},
)
# M0102
promotion_key_lookup = Lookup(
    "promotion_key_lookup",
    dimension="dim_promotion",
    surrogate="promotion_key",
    business_key={"promotion_id": F.col("d.promotion_id")},
)

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="bridge_product_promotion",
    comment="bridge_product_promotion of the shop",
    key=("product_key", "promotion_key"),
    columns=(
        Mapped("M0101", "product_key", "BIGINT", product_key_lookup.key, references="dim_product"),
        Mapped("M0102", "promotion_key", "BIGINT", promotion_key_lookup.key, references="dim_promotion"),
        Mapped("M0103", "featured", "BOOLEAN", F.col("d.featured")),
    ),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="181826652b60ff03",
    silver={"d": "silver_product_promotions"},
    lookups=[product_key_lookup, promotion_key_lookup],
)
rows = (
    silver("silver_product_promotions", "d")
    .transform(product_key_lookup.join)
    .transform(promotion_key_lookup.join)
)
finish("50_bridge_product_promotion", lambda: load_rows(target, rows, changes))
