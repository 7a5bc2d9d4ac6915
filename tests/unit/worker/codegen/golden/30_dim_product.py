# Databricks notebook source
# MAGIC %md
# MAGIC # dim_product
# MAGIC dim_product of the shop
# MAGIC
# MAGIC Mapping lines M0033 to M0044 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="dim_product",
    comment="dim_product of the shop",
    key=("product_id",),
    surrogate="product_key",
    columns=(
        Mapped("M0033", "product_key", "BIGINT"),
        Mapped("M0034", "product_id", "BIGINT", F.col("d.product_id")),
        Mapped("M0035", "sku", "STRING", F.col("d.sku")),
        Mapped("M0036", "product_name", "STRING", F.col("d.product_name"), unknown="Unknown"),
        Mapped("M0037", "category_name", "STRING", F.col("category.category_name")),
        Mapped("M0038", "department", "STRING",
               F.coalesce(F.col("parent.category_name"), F.col("category.category_name"))),
        Mapped("M0039", "supplier_name", "STRING", F.col("supplier.supplier_name")),
        Mapped("M0040", "list_price", "DECIMAL(12,2)", F.col("d.list_price")),
        Mapped("M0041", "unit_cost", "DECIMAL(12,2)", F.col("d.unit_cost")),
        Mapped("M0042", "weight_kg", "DECIMAL(6,1)", F.col("d.weight_kg")),
        Mapped("M0043", "source_file", "STRING", F.col("d._source_file"), audit="source_file"),
        Mapped("M0044", "loaded_at", "TIMESTAMP", audit="loaded_at"),
    ),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="1a2e23508b53ac80",
    silver={"d": "silver_products", "category": "silver_categories", "parent": "silver_categories", "supplier": "silver_suppliers"},
    by_row=True,
)
rows = (
    silver("silver_products", "d")
    .join(silver("silver_categories", "category"), F.col("d.category_id") == F.col("category.category_id"), "left")
    .join(
        silver("silver_categories", "parent"),
        F.col("category.parent_category_id") == F.col("parent.category_id"),
        "left",
    )
    .join(silver("silver_suppliers", "supplier"), F.col("d.supplier_id") == F.col("supplier.supplier_id"), "left")
    .transform(changes.only)
)
finish("30_dim_product", lambda: load_dimension(target, rows, changes))
