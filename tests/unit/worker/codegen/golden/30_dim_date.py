# Databricks notebook source
# MAGIC %md
# MAGIC # dim_date
# MAGIC dim_date of the shop
# MAGIC
# MAGIC Mapping lines M0001 to M0009 of ecommerce, version 1.

# COMMAND ----------

# MAGIC %run ./nuvyn_core

# COMMAND ----------

# MAGIC %run ./nuvyn_star

# COMMAND ----------

# DBTITLE 1,Mapping

target = Target(
    name="dim_date",
    comment="dim_date of the shop",
    key=("date_key",),
    surrogate="date_key",
    columns=(
        Mapped("M0001", "date_key", "BIGINT", F.date_format("d.day", "yyyyMMdd")),
        Mapped("M0002", "full_date", "DATE", F.col("d.day")),
        Mapped("M0003", "year", "BIGINT", F.year("d.day")),
        Mapped("M0004", "quarter", "BIGINT", F.quarter("d.day")),
        Mapped("M0005", "month", "BIGINT", F.month("d.day")),
        Mapped("M0006", "month_name", "STRING", F.date_format("d.day", "MMMM")),
        Mapped("M0007", "iso_week", "BIGINT", F.weekofyear("d.day")),
        Mapped("M0008", "day_name", "STRING", F.date_format("d.day", "EEEE")),
        Mapped("M0009", "is_weekend", "BOOLEAN", F.weekday("d.day") >= 5),
    ),
)

# COMMAND ----------

# DBTITLE 1,Whose days the calendar covers

DATED_BY = (
    ("silver_orders", "order_ts"),
    ("silver_orders", "required_date"),
    ("silver_payments", "paid_at"),
    ("silver_returns", "returned_on"),
    ("silver_marketing_spend_flat", "week_start"),
)

# COMMAND ----------

# DBTITLE 1,Load

changes = Changes(
    target,
    mapping="331c1fc5cf93188f",
    silver={},
    also=[silver_name for silver_name, _ in DATED_BY],
)
finish("30_dim_date", lambda: load_dates(target, "2021-01-01", "2026-12-31", DATED_BY, changes))
