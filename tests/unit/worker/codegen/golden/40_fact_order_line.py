# Databricks notebook source
# MAGIC %md
# MAGIC # fact_order_line
# MAGIC fact_order_line of the shop
# MAGIC
# MAGIC Grain: one row per order line.
# MAGIC
# MAGIC Mapping lines M0066 to M0080 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Lookups

# M0068
customer_key_lookup = Lookup(
    "customer_key_lookup",
    dimension="dim_customer",
    surrogate="customer_key",
    business_key={"customer_id": F.col("o.customer_id")},
    versions="valid_from",
    as_of=F.col("o.order_ts"),
)
# M0069
address_key_lookup = Lookup(
    "address_key_lookup",
    dimension="dim_customer_address",
    surrogate="address_key",
    business_key={"customer_id": F.col("o.customer_id")},
    versions="valid_from",
    as_of=F.col("o.order_ts"),
)
# M0070
product_key_lookup = Lookup(
    "product_key_lookup",
    dimension="dim_product",
    surrogate="product_key",
    business_key={"product_id": F.col("d.product_id")},
)
# M0071
store_key_lookup = Lookup(
    "store_key_lookup",
    dimension="dim_store",
    surrogate="store_key",
    business_key={"store_id": F.col("o.store_id")},
)
# M0072
promotion_key_lookup = Lookup(
    "promotion_key_lookup",
    dimension="dim_promotion",
    surrogate="promotion_key",
    business_key={"promotion_id": F.col("o.promotion_id")},
)

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="fact_order_line",
    comment="fact_order_line of the shop",
    key=("order_id", "line_no"),
    cluster_by=("order_date_key",),
    columns=(
        Mapped("M0066", "order_id", "BIGINT", F.col("d.order_id")),
        Mapped("M0067", "line_no", "BIGINT", F.col("d.line_no")),
        Mapped("M0068", "customer_key", "BIGINT", customer_key_lookup.key, references="dim_customer"),
        Mapped("M0069", "address_key", "BIGINT", address_key_lookup.key, references="dim_customer_address"),
        Mapped("M0070", "product_key", "BIGINT", product_key_lookup.key, references="dim_product"),
        Mapped("M0071", "store_key", "BIGINT", store_key_lookup.key, references="dim_store"),
        Mapped("M0072", "promotion_key", "BIGINT", promotion_key_lookup.key, references="dim_promotion"),
        Mapped("M0073", "order_date_key", "BIGINT", date_key(F.col("o.order_ts")), references="dim_date"),
        Mapped("M0074", "required_date_key", "BIGINT", date_key(F.col("o.required_date")), references="dim_date"),
        Mapped("M0075", "order_status", "STRING", F.col("o.status")),
        Mapped("M0076", "quantity", "BIGINT", F.col("d.quantity")),
        Mapped("M0077", "unit_price", "DECIMAL(12,2)", F.col("d.unit_price")),
        Mapped("M0078", "discount_amount", "DECIMAL(12,2)", F.col("d.discount_amount")),
        Mapped("M0079", "line_total", "DECIMAL(12,2)", F.col("d.line_total")),
        Mapped("M0080", "gross_amount", "DECIMAL(14,2)", F.col("d.quantity") * F.col("d.unit_price")),
    ),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="d71c01a5857b0251",
    silver={"d": "silver_order_items", "o": "silver_orders"},
    lookups=[customer_key_lookup, address_key_lookup, product_key_lookup, store_key_lookup, promotion_key_lookup],
    by_row=True,
)
rows = (
    silver("silver_order_items", "d")
    .join(silver("silver_orders", "o"), F.col("d.order_id") == F.col("o.order_id"), "left")
    .transform(changes.only)
    .transform(customer_key_lookup.join)
    .transform(address_key_lookup.join)
    .transform(product_key_lookup.join)
    .transform(store_key_lookup.join)
    .transform(promotion_key_lookup.join)
)
finish("40_fact_order_line", lambda: load_rows(target, rows, changes))
