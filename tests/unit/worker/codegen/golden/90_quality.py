# Databricks notebook source
# MAGIC %md
# MAGIC # 90_quality
# MAGIC What must hold after every load: nothing lost on the way, keys unique, references found, rules met. Every outcome is written to `nuvyn_run_log`.

# COMMAND ----------

# MAGIC %run ./nuvyn_sources

# COMMAND ----------

# MAGIC %run ./nuvyn_quality

# COMMAND ----------

# DBTITLE 1,Raw tables

checks = [Balance(source) for source in SOURCES]
checks += [
    Rows("silver_customers", rules=(
        Rule("Q0002", "warn", "`loyalty_tier` IN ('bronze', 'silver', 'gold', 'platinum')", "loyalty_tier: accepted"),
        Rule("Q0003", "warn", "`email` RLIKE '^[^@\\\\s]+@[^@\\\\s]+$'", "email: pattern"),
    )),
    Reference("silver_customer_addresses", ("customer_id",), "silver_customers", ("customer_id",), tier="warn"),
]

# COMMAND ----------

# DBTITLE 1,dim_date

checks += [
    Unique("dim_date", ("date_key",)),
]

# COMMAND ----------

# DBTITLE 1,dim_customer

checks += [
    Unique("dim_customer", ("customer_key",)),
    Unique("dim_customer", ("customer_id",), where="`customer_key` >= 0 AND `is_current`"),
]

# COMMAND ----------

# DBTITLE 1,dim_customer_address

checks += [
    Unique("dim_customer_address", ("address_key",)),
    Unique("dim_customer_address", ("customer_id",), where="`address_key` >= 0 AND `is_current`"),
]

# COMMAND ----------

# DBTITLE 1,dim_product

checks += [
    Unique("dim_product", ("product_key",)),
    Unique("dim_product", ("product_id",), where="`product_key` >= 0"),
]

# COMMAND ----------

# DBTITLE 1,dim_store

checks += [
    Unique("dim_store", ("store_key",)),
    Unique("dim_store", ("store_id",), where="`store_key` >= 0"),
]

# COMMAND ----------

# DBTITLE 1,dim_promotion

checks += [
    Unique("dim_promotion", ("promotion_key",)),
    Unique("dim_promotion", ("promotion_id",), where="`promotion_key` >= 0"),
]

# COMMAND ----------

# DBTITLE 1,dim_campaign

checks += [
    Unique("dim_campaign", ("campaign_key",)),
    Unique("dim_campaign", ("campaign_id",), where="`campaign_key` >= 0"),
]

# COMMAND ----------

# DBTITLE 1,fact_order_line

checks += [
    Rows("fact_order_line", rules=(
        Rule("Q0007", "fail", "`quantity` >= CAST('1' AS BIGINT)", "quantity is positive"),
    )),
    Unique("fact_order_line", ("order_id", "line_no")),
    Reference("fact_order_line", ("customer_key",), "dim_customer", ("customer_key",)),
    Reference("fact_order_line", ("address_key",), "dim_customer_address", ("address_key",)),
    Reference("fact_order_line", ("product_key",), "dim_product", ("product_key",)),
    Reference("fact_order_line", ("store_key",), "dim_store", ("store_key",)),
    Reference("fact_order_line", ("promotion_key",), "dim_promotion", ("promotion_key",)),
    Reference("fact_order_line", ("order_date_key",), "dim_date", ("date_key",)),
    Reference("fact_order_line", ("required_date_key",), "dim_date", ("date_key",)),
    Reconciled("fact_order_line", "silver_order_items", sums=(("quantity", "quantity"), ("unit_price", "unit_price"), ("discount_amount", "discount_amount"), ("line_total", "line_total"),)),
]

# COMMAND ----------

# DBTITLE 1,fact_payment

checks += [
    Unique("fact_payment", ("payment_id",)),
    Reference("fact_payment", ("customer_key",), "dim_customer", ("customer_key",)),
    Reference("fact_payment", ("paid_date_key",), "dim_date", ("date_key",)),
    Reconciled("fact_payment", "silver_payments", sums=(("amount", "amount"),)),
]

# COMMAND ----------

# DBTITLE 1,fact_return

checks += [
    Unique("fact_return", ("return_id",)),
    Reference("fact_return", ("product_key",), "dim_product", ("product_key",)),
    Reference("fact_return", ("returned_date_key",), "dim_date", ("date_key",)),
    Reconciled("fact_return", "silver_returns", sums=(("quantity", "quantity"), ("refund_amount", "refund_amount"),)),
]

# COMMAND ----------

# DBTITLE 1,fact_marketing_spend

checks += [
    Unique("fact_marketing_spend", ("week_start", "region", "campaign_id")),
    Reference("fact_marketing_spend", ("campaign_key",), "dim_campaign", ("campaign_key",)),
    Reference("fact_marketing_spend", ("week_date_key",), "dim_date", ("date_key",)),
    Reconciled("fact_marketing_spend", "silver_marketing_spend_flat", sums=(("impressions", "impressions"), ("clicks", "clicks"), ("spend", "spend"),)),
]

# COMMAND ----------

# DBTITLE 1,bridge_product_promotion

checks += [
    Unique("bridge_product_promotion", ("product_key", "promotion_key")),
    Reference("bridge_product_promotion", ("product_key",), "dim_product", ("product_key",)),
    Reference("bridge_product_promotion", ("promotion_key",), "dim_promotion", ("promotion_key",)),
    Reconciled("bridge_product_promotion", "silver_product_promotions"),
]

# COMMAND ----------

# DBTITLE 1,Verdict

judge(checks)
