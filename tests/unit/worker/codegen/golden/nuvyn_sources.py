# Databricks notebook source
# MAGIC %md
# MAGIC # nuvyn_sources
# MAGIC The raw tables: their files, how they are read, and what identifies a record. `10_bronze`, `20_silver` and `90_quality` run this.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

SOURCES = []

# COMMAND ----------

# DBTITLE 1,categories

SOURCES.append(Source(
    name="categories",
    bronze="bronze_categories",
    silver="silver_categories",
    pattern="categories.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("category_id",),
    columns=(
        Raw("category_id", "category_id", "STRING", Parse()),
        Raw("category_name", "category_name", "STRING", Parse()),
        Raw("parent_category_id", "parent_category_id", "STRING", Parse()),
        Raw("description", "description", "STRING", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,suppliers

SOURCES.append(Source(
    name="suppliers",
    bronze="bronze_suppliers",
    silver="silver_suppliers",
    pattern="suppliers.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "ISO-8859-1", "multiLine": True},
    key=("supplier_id",),
    columns=(
        Raw("supplier_id", "supplier_id", "STRING", Parse()),
        Raw("supplier_name", "supplier_name", "STRING", Parse()),
        Raw("contact_email", "contact_email", "STRING", Parse()),
        Raw("city", "city", "STRING", Parse()),
        Raw("country", "country", "STRING", Parse()),
        Raw("rating", "rating", "DECIMAL(2,1)", Parse()),
        Raw("lead_time_days", "lead_time_days", "BIGINT", Parse()),
        Raw("active", "active", "BOOLEAN", Parse(true=("y", "yes", "true"), false=("n", "no", "false"))),
    ),
))

# COMMAND ----------

# DBTITLE 1,products

SOURCES.append(Source(
    name="products",
    bronze="bronze_products",
    silver="silver_products",
    pattern="products.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("product_id",),
    latest_by=("updated_at",),
    columns=(
        Raw("product_id", "product_id", "BIGINT", Parse()),
        Raw("sku", "sku", "STRING", Parse()),
        Raw("product_name", "product_name", "STRING", Parse()),
        Raw("category_id", "category_id", "STRING", Parse()),
        Raw("supplier_id", "supplier_id", "STRING", Parse()),
        Raw("unit_cost", "unit_cost", "DECIMAL(12,2)", Parse()),
        Raw("list_price", "list_price", "DECIMAL(12,2)", Parse(currency=("$",), group=",")),
        Raw("weight_kg", "weight_kg", "DECIMAL(6,1)", Parse(nulls=("N/A",))),
        Raw("launched_on", "launched_on", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("discontinued", "discontinued", "BOOLEAN", Parse(true=("y", "yes", "true"), false=("n", "no", "false"))),
        Raw("updated_at", "updated_at", "TIMESTAMP", Parse(formats=("%Y-%m-%d %H:%M:%S",))),
    ),
))

# COMMAND ----------

# DBTITLE 1,stores

SOURCES.append(Source(
    name="stores",
    bronze="bronze_stores",
    silver="silver_stores",
    pattern="stores.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("store_id",),
    columns=(
        Raw("store_id", "store_id", "STRING", Parse()),
        Raw("store_name", "store_name", "STRING", Parse()),
        Raw("city", "city", "STRING", Parse()),
        Raw("region", "region", "STRING", Parse()),
        Raw("country", "country", "STRING", Parse()),
        Raw("opened_on", "opened_on", "DATE", Parse(formats=("%d.%m.%Y",))),
        Raw("floor_area_sqm", "floor_area_sqm", "BIGINT", Parse()),
        Raw("phone", "phone", "STRING", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,customers

SOURCES.append(Source(
    name="customers",
    bronze="bronze_customers",
    silver="silver_customers",
    pattern="customers.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("customer_id",),
    columns=(
        Raw("customer_id", "customer_id", "BIGINT", Parse()),
        Raw("first_name", "first_name", "STRING", Parse()),
        Raw("last_name", "last_name", "STRING", Parse()),
        Raw("email", "email", "STRING", Parse()),
        Raw("phone", "phone", "STRING", Parse()),
        Raw("birth_date", "birth_date", "DATE", Parse(nulls=("N/A",), formats=("%Y-%m-%d", "%d.%m.%Y"))),
        Raw("gender", "gender", "STRING", Parse(nulls=("N/A",))),
        Raw("loyalty_tier", "loyalty_tier", "STRING", Parse()),
        Raw("marketing_opt_in", "marketing_opt_in", "BOOLEAN", Parse(true=("y", "yes", "true"), false=("n", "no", "false"))),
        Raw("signup_date", "signup_date", "DATE", Parse(formats=("%Y-%m-%d",))),
    ),
    rules=(
        Rule("Q0001", "fail", "`customer_id` IS NOT NULL", "customer_id: not_null"),
    ),
))

# COMMAND ----------

# DBTITLE 1,customer_addresses

SOURCES.append(Source(
    name="customer_addresses",
    bronze="bronze_customer_addresses",
    silver="silver_customer_addresses",
    pattern="customer_addresses.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("customer_id", "valid_from"),
    columns=(
        Raw("customer_id", "customer_id", "BIGINT", Parse()),
        Raw("valid_from", "valid_from", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("street", "street", "STRING", Parse()),
        Raw("postal_code", "postal_code", "STRING", Parse()),
        Raw("city", "city", "STRING", Parse()),
        Raw("country", "country", "STRING", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,promotions

SOURCES.append(Source(
    name="promotions",
    bronze="bronze_promotions",
    silver="silver_promotions",
    pattern="promotions.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("promotion_id",),
    columns=(
        Raw("promotion_id", "promotion_id", "STRING", Parse()),
        Raw("promotion_name", "promotion_name", "STRING", Parse()),
        Raw("discount_percent", "discount_percent", "DECIMAL(4,0)", Parse(percent=True)),
        Raw("starts_on", "starts_on", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("ends_on", "ends_on", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("channel", "channel", "STRING", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,product_promotions

SOURCES.append(Source(
    name="product_promotions",
    bronze="bronze_product_promotions",
    silver="silver_product_promotions",
    pattern="product_promotions.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("product_id", "promotion_id"),
    columns=(
        Raw("product_id", "product_id", "BIGINT", Parse()),
        Raw("promotion_id", "promotion_id", "STRING", Parse()),
        Raw("featured", "featured", "BOOLEAN", Parse(true=("y", "yes", "true"), false=("n", "no", "false"))),
    ),
))

# COMMAND ----------

# DBTITLE 1,orders

SOURCES.append(Source(
    name="orders",
    bronze="bronze_orders",
    silver="silver_orders",
    pattern="orders_*.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("order_id",),
    columns=(
        Raw("order_id", "order_id", "BIGINT", Parse()),
        Raw("customer_id", "customer_id", "BIGINT", Parse()),
        Raw("store_id", "store_id", "STRING", Parse(nulls=("N/A",))),
        Raw("employee_id", "employee_id", "BIGINT", Parse()),
        Raw("order_ts", "order_ts", "TIMESTAMP", Parse(formats=("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S"))),
        Raw("required_date", "required_date", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("status", "status", "STRING", Parse()),
        Raw("channel", "channel", "STRING", Parse()),
        Raw("promotion_id", "promotion_id", "STRING", Parse()),
        Raw("shipping_fee", "shipping_fee", "DECIMAL(10,2)", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,order_items

SOURCES.append(Source(
    name="order_items",
    bronze="bronze_order_items",
    silver="silver_order_items",
    pattern="order_items.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("order_id", "line_no"),
    columns=(
        Raw("order_id", "order_id", "BIGINT", Parse()),
        Raw("line_no", "line_no", "BIGINT", Parse()),
        Raw("product_id", "product_id", "BIGINT", Parse()),
        Raw("quantity", "quantity", "BIGINT", Parse()),
        Raw("unit_price", "unit_price", "DECIMAL(12,2)", Parse()),
        Raw("discount_amount", "discount_amount", "DECIMAL(12,2)", Parse()),
        Raw("line_total", "line_total", "DECIMAL(12,2)", Parse(currency=("$",), group=",")),
    ),
    rules=(
        Rule("Q0006", "quarantine", "`quantity` >= CAST('1' AS BIGINT) AND `quantity` <= CAST('1000' AS BIGINT)", "quantity: range"),
    ),
))

# COMMAND ----------

# DBTITLE 1,payments

SOURCES.append(Source(
    name="payments",
    bronze="bronze_payments",
    silver="silver_payments",
    pattern="payments.csv",
    options={"sep": ";", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("payment_id",),
    columns=(
        Raw("payment_id", "payment_id", "STRING", Parse()),
        Raw("order_id", "order_id", "BIGINT", Parse()),
        Raw("method", "method", "STRING", Parse()),
        Raw("amount", "amount", "DECIMAL(12,2)", Parse(decimal=",", group=".")),
        Raw("paid_at", "paid_at", "TIMESTAMP", Parse(formats=("%Y-%m-%d %H:%M:%S",))),
        Raw("status", "status", "STRING", Parse()),
    ),
))

# COMMAND ----------

# DBTITLE 1,returns

SOURCES.append(Source(
    name="returns",
    bronze="bronze_returns",
    silver="silver_returns",
    pattern="returns.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("return_id",),
    columns=(
        Raw("return_id", "return_id", "STRING", Parse()),
        Raw("order_id", "order_id", "BIGINT", Parse()),
        Raw("line_no", "line_no", "BIGINT", Parse()),
        Raw("returned_on", "returned_on", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("quantity", "quantity", "BIGINT", Parse()),
        Raw("reason", "reason", "STRING", Parse()),
        Raw("refund_amount", "refund_amount", "DECIMAL(12,2)", Parse(parentheses=True)),
    ),
))

# COMMAND ----------

# DBTITLE 1,marketing_spend_flat

SOURCES.append(Source(
    name="marketing_spend_flat",
    bronze="bronze_marketing_spend_flat",
    silver="silver_marketing_spend_flat",
    pattern="marketing_spend_flat.csv",
    options={"sep": ",", "quote": "\"", "escape": "\"", "encoding": "UTF-8", "multiLine": True},
    key=("week_start", "region", "campaign_id"),
    columns=(
        Raw("week_start", "week_start", "DATE", Parse(formats=("%Y-%m-%d",))),
        Raw("region", "region", "STRING", Parse()),
        Raw("campaign_id", "campaign_id", "STRING", Parse()),
        Raw("campaign_name", "campaign_name", "STRING", Parse()),
        Raw("channel", "channel", "STRING", Parse()),
        Raw("agency_code", "agency_code", "STRING", Parse()),
        Raw("agency_name", "agency_name", "STRING", Parse()),
        Raw("agency_country", "agency_country", "STRING", Parse()),
        Raw("impressions", "impressions", "BIGINT", Parse()),
        Raw("clicks", "clicks", "BIGINT", Parse()),
        Raw("spend", "spend", "DECIMAL(12,2)", Parse(currency=("€",), group=",")),
    ),
))
