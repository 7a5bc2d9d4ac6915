# Databricks notebook source
# MAGIC %md
# MAGIC # dim_customer
# MAGIC dim_customer of the shop
# MAGIC
# MAGIC Mapping lines M0010 to M0023 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="dim_customer",
    comment="dim_customer of the shop",
    key=("customer_id",),
    surrogate="customer_key",
    valid_from="valid_from",
    valid_to="valid_to",
    current="is_current",
    columns=(
        Mapped("M0010", "customer_key", "BIGINT"),
        Mapped("M0011", "customer_id", "BIGINT", F.col("d.customer_id")),
        Mapped("M0012", "full_name", "STRING",
               F.concat_ws(" ", F.col("d.first_name"), F.col("d.last_name")),
               unknown="Unknown"),
        Mapped("M0013", "email", "STRING", F.col("d.email"), pii="direct"),
        Mapped("M0014", "birth_date", "DATE", F.col("d.birth_date")),
        Mapped("M0015", "gender", "STRING", F.coalesce(F.col("d.gender"), F.lit("unknown").cast("STRING"))),
        Mapped("M0016", "loyalty_tier", "STRING", F.col("d.loyalty_tier"), scd=2, unknown="Unknown"),
        Mapped("M0017", "marketing_opt_in", "BOOLEAN", F.col("d.marketing_opt_in")),
        Mapped("M0018", "signup_date", "DATE", F.col("d.signup_date"), scd=0),
        Mapped("M0019", "valid_from", "TIMESTAMP"),
        Mapped("M0020", "valid_to", "TIMESTAMP"),
        Mapped("M0021", "is_current", "BOOLEAN"),
        Mapped("M0022", "batch_id", "STRING", audit="batch_id"),
        Mapped("M0023", "row_hash", "STRING", audit="row_hash"),
    ),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="9c8cd908de9226e5",
    silver={"d": "silver_customers"},
    by_member=True,
)
rows = (
    silver("silver_customers", "d")
    .transform(changes.only)
)
finish("30_dim_customer", lambda: load_history(target, rows, changes))
