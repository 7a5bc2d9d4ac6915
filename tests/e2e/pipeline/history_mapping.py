"""A small source system made to change: every policy, tier and load strategy that a mapping can ask for, once."""

from ecommerce_sttm import DAY, INTEGER, MOMENT, TEXT, Table, rule, source

SOURCES = [
    source("customers", dict(customer_id=INTEGER, changed_on=DAY, name=TEXT, tier=TEXT, email=TEXT),
           ["customer_id", "changed_on"], pattern="customers*.csv",
           policy={"new_columns": "DRIFT_ACTION_ADD", "missing_columns": "DRIFT_ACTION_NULL"}),
    source("products", dict(product_id=INTEGER, title=TEXT, price=("10.2", {})), ["product_id"], pattern="products*.jsonl",
           format="jsonl", policy={"deletes": "DELETE_MODE_SNAPSHOT"}),
    source("stores", dict(store_id=TEXT, city=TEXT, op=TEXT), ["store_id"], pattern="stores*.parquet", format="parquet",
           policy={"deletes": "DELETE_MODE_MARKER", "delete_column": "op", "delete_values": ["D"]}),
    source("sales", dict(sale_id=INTEGER, sold_on=DAY, customer_id=INTEGER, product_id=INTEGER, store_id=TEXT,
                         quantity=INTEGER, amount=("10.2", {}), status=TEXT),
           ["sale_id"], pattern="sales*.csv.gz", compression="gzip", policy={"changed_types": "DRIFT_ACTION_WIDEN"},
           rules=[rule("Q1", "RANGE", "QUARANTINE", ["quantity"], low="0", says="quantity is not negative"),
                  rule("Q2", "REFERENCE", "QUARANTINE", ["customer_id"], ref_target="customers",
                       ref_columns=["customer_id"], says="the customer is known"),
                  rule("Q3", "PATTERN", "DROP", ["status"], low="^(?!test$)", says="no test sales"),
                  rule("Q4", "PARSES", "QUARANTINE", ["amount"], threshold=0.9),
                  rule("Q5", "NOT_NULL", "FAIL", ["sale_id"])]),
    source("payments", dict(payment_id=INTEGER, paid_on=DAY, customer_id=INTEGER, product_id=INTEGER, amount=("10.2", {}), op=TEXT),
           ["payment_id"], pattern="payments*.csv",
           policy={"deletes": "DELETE_MODE_MARKER", "delete_column": "op", "delete_values": ["D"]}),
    source("events", dict(happened_at=("t", MOMENT), kind=TEXT), [], pattern="events*.csv.zst", compression="zstd"),
]
TARGETS = []


def table(*args, **more):
    return Table(*args, targets=TARGETS, sources=SOURCES, **more)


dates = table("dim_date", "DATE_DIMENSION", "GENERATED", grain=["date_key"], date_first="2025-01-01", date_last="2026-12-31")
dates.add("date_key", "i", "SURROGATE", key="SURROGATE").add("full_date", "d", "CALENDAR", constant="date")

customer = table("dim_customer", "DIMENSION", "SCD2", "customers", grain=["customer_id"], effective_from="changed_on")
customer.add("customer_key", "i", "SURROGATE", key="SURROGATE").copy("d.customer_id", key="BUSINESS")
customer.copy("d.name", scd=1, pii="direct").copy("d.tier", scd=2).copy("d.email", scd=1, pii="direct")
customer.add("valid_from", "d", "SCD_FROM").add("valid_to", "d", "SCD_TO").add("is_current", "b", "SCD_CURRENT")

product = table("dim_product", "DIMENSION", "SCD2", "products", grain=["product_id"])
product.add("product_key", "i", "SURROGATE", key="SURROGATE").copy("d.product_id", key="BUSINESS")
product.copy("d.title", scd=1).copy("d.price", scd=2)
product.add("valid_from", "t", "SCD_FROM").add("valid_to", "t", "SCD_TO").add("is_current", "b", "SCD_CURRENT")

store = table("dim_store", "DIMENSION", "SCD1", "stores", grain=["store_id"])
store.add("store_key", "i", "SURROGATE", key="SURROGATE").copy("d.store_id", key="BUSINESS").copy("d.city", unknown_member="?")
store.add("is_inferred", "b", "AUDIT", constant="inferred").add("deleted_at", "t", "AUDIT", constant="deleted_at")

sale = table("fact_sale", "FACT", "MERGE", "sales", grain=["sale_id"], cluster_by=["date_key"],
             depends_on=["dim_date", "dim_customer", "dim_product", "dim_store"])
sale.copy("d.sale_id", key="DEGENERATE")
sale.add("customer_key", "i", "LOOKUP", "d.customer_id", dimension="dim_customer", as_of="d.sold_on", key="FOREIGN")
sale.add("product_key", "i", "LOOKUP", "d.product_id", dimension="dim_product", key="FOREIGN")
sale.add("store_key", "i", "LOOKUP", "d.store_id", dimension="dim_store", key="FOREIGN")
sale.add("date_key", "i", "DATE_KEY", "d.sold_on", key="FOREIGN")
sale.copy("d.quantity", measure=True).copy("d.amount", measure=True)
sale.target["rules"] = [rule("Q6", "RANGE", "QUARANTINE", ["amount"], low="-1000", says="no refund above 1000")]

# One row per row of its source: what a batch did not touch is not computed anew.
payment = table("fact_payment", "FACT", "MERGE", "payments", grain=["payment_id"], depends_on=["dim_date", "dim_customer", "dim_product"])
payment.copy("d.payment_id", key="DEGENERATE")
payment.add("customer_key", "i", "LOOKUP", "d.customer_id", dimension="dim_customer", as_of="d.paid_on", key="FOREIGN")
payment.add("product_key", "i", "LOOKUP", "d.product_id", dimension="dim_product", key="FOREIGN")
payment.add("date_key", "i", "DATE_KEY", "d.paid_on", key="FOREIGN").copy("d.amount", measure=True)

event = table("fact_event", "FACT", "MERGE", "events", grain=["happened_at", "kind"], depends_on=["dim_date"])
event.add("date_key", "i", "DATE_KEY", "d.happened_at", key="FOREIGN").copy("d.happened_at").copy("d.kind")
