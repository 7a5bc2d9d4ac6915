#!/usr/bin/env python3
"""A mapping of data/ecommerce written by hand, as proto3 JSON: what the code generator is tested with on its own.

    python3 ecommerce_sttm.py [FOLDER] > mapping.json

FOLDER holds the raw files, data/ecommerce by default.
"""

import fnmatch
import hashlib
import json
import pathlib
import sys

TYPES = {"s": "STRING", "i": "INT64", "d": "DATE", "t": "TIMESTAMP", "b": "BOOLEAN", "f": "DOUBLE"}
lines = 0


def value_type(short):
    """"i", or "12.2" for DECIMAL(12,2)."""
    if short in TYPES:
        return {"type": f"VALUE_TYPE_{TYPES[short]}"}
    precision, scale = short.split(".")
    return {"type": "VALUE_TYPE_DECIMAL", "precision": int(precision), "scale": int(scale)}


def source(name, columns, key, pattern=None, latest_by=(), rules=(), policy=None, **dialect):
    """columns: {name: (type, parse options)}."""
    return {
        **({"policy": policy} if policy else {}),
        "name": name, "silver_name": f"silver_{name}", "file_pattern": pattern or f"{name}.csv",
        "dialect": {"format": "csv", "encoding": "utf-8", "delimiter": ",", "quote": '"', "escape": '"',
                    "has_header": True, **dialect},
        "columns": [{"name": n, "silver_name": n, **value_type(t),
                     "parse": {"trim": True, "decimal_separator": ".", **parse}, "nullable": True, "position": i}
                    for i, (n, (t, parse)) in enumerate(columns.items())],
        "key": list(key), "latest_by": list(latest_by), "rules": list(rules),
    }


ISO = {"datetime_formats": ["%Y-%m-%d"]}
MOMENT = {"datetime_formats": ["%Y-%m-%d %H:%M:%S"]}
NA = {"null_spellings": ["N/A"]}
TEXT, INTEGER, DAY = ("s", {}), ("i", {}), ("d", ISO)
YES_NO = ("b", {"true_spellings": ["y", "yes", "true"], "false_spellings": ["n", "no", "false"]})


def rule(id, kind, severity, columns, **more):
    return {"id": id, "kind": f"RULE_KIND_{kind}", "severity": f"SEVERITY_{severity}", "columns": columns,
            "description": more.pop("says", f"{', '.join(columns)}: {kind.lower()}"), **more}


SOURCES = [
    source("categories", dict(category_id=TEXT, category_name=TEXT, parent_category_id=TEXT, description=TEXT),
           ["category_id"]),
    source("suppliers", dict(supplier_id=TEXT, supplier_name=TEXT, contact_email=TEXT, city=TEXT, country=TEXT,
                             rating=("2.1", {}), lead_time_days=INTEGER, active=YES_NO), ["supplier_id"],
           encoding="latin-1"),
    source("products", dict(product_id=INTEGER, sku=TEXT, product_name=TEXT, category_id=TEXT, supplier_id=TEXT,
                            unit_cost=("12.2", {}),
                            list_price=("12.2", {"currency_marks": ["$"], "group_separator": ","}),
                            weight_kg=("6.1", NA), launched_on=DAY, discontinued=YES_NO, updated_at=("t", MOMENT)),
           ["product_id"], latest_by=["updated_at"]),
    source("stores", dict(store_id=TEXT, store_name=TEXT, city=TEXT, region=TEXT, country=TEXT,
                          opened_on=("d", {"datetime_formats": ["%d.%m.%Y"]}), floor_area_sqm=INTEGER, phone=TEXT),
           ["store_id"]),
    source("customers", dict(customer_id=INTEGER, first_name=TEXT, last_name=TEXT, email=TEXT, phone=TEXT,
                             birth_date=("d", {"datetime_formats": ["%Y-%m-%d", "%d.%m.%Y"], **NA}),
                             gender=("s", NA), loyalty_tier=TEXT, marketing_opt_in=YES_NO, signup_date=DAY),
           ["customer_id"],
           rules=[rule("Q0001", "NOT_NULL", "FAIL", ["customer_id"]),
                  rule("Q0002", "ACCEPTED", "WARN", ["loyalty_tier"], values=["bronze", "silver", "gold", "platinum"]),
                  rule("Q0003", "PATTERN", "WARN", ["email"], low=r"^[^@\s]+@[^@\s]+$")]),
    source("customer_addresses", dict(customer_id=INTEGER, valid_from=DAY, street=TEXT, postal_code=TEXT, city=TEXT,
                                      country=TEXT), ["customer_id", "valid_from"],
           rules=[rule("Q0004", "REFERENCE", "WARN", ["customer_id"], ref_target="customers",
                       ref_columns=["customer_id"])]),
    source("promotions", dict(promotion_id=TEXT, promotion_name=TEXT, discount_percent=("4.0", {"percent": True}),
                              starts_on=DAY, ends_on=DAY, channel=TEXT), ["promotion_id"]),
    source("product_promotions", dict(product_id=INTEGER, promotion_id=TEXT, featured=YES_NO),
           ["product_id", "promotion_id"]),
    source("orders", dict(order_id=INTEGER, customer_id=INTEGER, store_id=("s", NA), employee_id=INTEGER,
                          order_ts=("t", {"datetime_formats": ["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S"]}),
                          required_date=DAY, status=TEXT, channel=TEXT, promotion_id=TEXT, shipping_fee=("10.2", {})),
           ["order_id"], pattern="orders_*.csv"),
    source("order_items", dict(order_id=INTEGER, line_no=INTEGER, product_id=INTEGER, quantity=INTEGER,
                               unit_price=("12.2", {}), discount_amount=("12.2", {}),
                               line_total=("12.2", {"currency_marks": ["$"], "group_separator": ","})),
           ["order_id", "line_no"],
           rules=[rule("Q0005", "PARSES", "QUARANTINE", ["quantity"]),
                  rule("Q0006", "RANGE", "QUARANTINE", ["quantity"], low="1", high="1000")]),
    source("payments", dict(payment_id=TEXT, order_id=INTEGER, method=TEXT,
                            amount=("12.2", {"decimal_separator": ",", "group_separator": "."}),
                            paid_at=("t", MOMENT), status=TEXT), ["payment_id"], delimiter=";"),
    source("returns", dict(return_id=TEXT, order_id=INTEGER, line_no=INTEGER, returned_on=DAY, quantity=INTEGER,
                           reason=TEXT, refund_amount=("12.2", {"negative_parentheses": True})), ["return_id"]),
    source("marketing_spend_flat", dict(week_start=DAY, region=TEXT, campaign_id=TEXT, campaign_name=TEXT, channel=TEXT,
                                        agency_code=TEXT, agency_name=TEXT, agency_country=TEXT, impressions=INTEGER,
                                        clicks=INTEGER,
                                        spend=("12.2", {"currency_marks": ["€"], "group_separator": ","})),
           ["week_start", "region", "campaign_id"]),
]


def refer(path, aliases):
    alias, column = path.split(".")
    name = aliases[alias]
    return {"alias": alias, "column": column, "source": name, "source_column": column}


def column(name, type, op, inputs=(), aliases=None, **more):
    global lines
    lines += 1
    transform = {"op": f"TRANSFORM_OP_{op}", "inputs": [refer(i, aliases) for i in inputs]}
    for part in ("constant", "dimension", "as_of"):
        if part in more:
            transform[part] = more.pop(part)
    if "key" in more:
        more["key_role"] = f"KEY_ROLE_{more.pop('key')}"
    if "scd" in more:
        more["scd"] = f"SCD_TYPE_{more['scd']}"
    return {"mapping_id": f"M{lines:04d}", "name": name, **value_type(type), "transform": transform, **more}


class Table:
    """A target that is appended to `targets`; its columns come from `sources`."""

    def __init__(self, name, kind, load, driving="", joins=(), grain=(), depends_on=(), targets=None, sources=None, **more):
        targets, sources = TARGETS if targets is None else targets, SOURCES if sources is None else sources
        self.aliases, self.sources = {"d": driving}, {s["name"]: s for s in sources}
        self.target = {"id": f"T{len(targets) + 1:02d}", "name": name, "kind": f"TARGET_KIND_{kind}",
                       "load": f"LOAD_STRATEGY_{load}", "description": f"{name} of the shop", "grain": more.pop("says", ""),
                       "grain_columns": list(grain), "driving_source": driving, "joins": [], "columns": [],
                       "depends_on": list(depends_on), **more}
        for source_name, alias, parent, columns, to_columns in joins:
            self.aliases[alias] = source_name
            self.target["joins"].append({"source": source_name, "alias": alias, "parent_alias": parent,
                                         "columns": columns, "to_columns": to_columns})
        targets.append(self.target)

    def add(self, name, type, op, *inputs, **more):
        self.target["columns"].append(column(name, type, op, inputs, self.aliases, **more))
        return self

    def copy(self, path, type=None, name=None, **more):
        alias, of = path.split(".")
        declared = next(c for c in self.sources[self.aliases[alias]]["columns"] if c["name"] == of)
        self.add(name or of, type or "s", "COPY", path, **more)
        if not type:
            self.target["columns"][-1].update({k: declared[k] for k in ("type", "precision", "scale") if k in declared})
        return self


TARGETS = []

dates = Table("dim_date", "DATE_DIMENSION", "GENERATED", grain=["date_key"], date_first="2021-01-01",
              date_last="2026-12-31")
dates.add("date_key", "i", "SURROGATE", key="SURROGATE")
for name, type, constant in [("full_date", "d", "date"), ("year", "i", "year"), ("quarter", "i", "quarter"),
                             ("month", "i", "month"), ("month_name", "s", "month_name"), ("iso_week", "i", "week_of_year"),
                             ("day_name", "s", "day_name"), ("is_weekend", "b", "is_weekend")]:
    dates.add(name, type, "CALENDAR", constant=constant)

customer = Table("dim_customer", "DIMENSION", "SCD2", "customers", grain=["customer_id"])
customer.add("customer_key", "i", "SURROGATE", key="SURROGATE").copy("d.customer_id", key="BUSINESS")
customer.add("full_name", "s", "CONCAT", "d.first_name", "d.last_name", constant=" ", scd=1, unknown_member="Unknown")
customer.copy("d.email", scd=1, pii="direct").copy("d.birth_date", scd=1).copy("d.gender", scd=1, default_value="unknown")
customer.copy("d.loyalty_tier", scd=2, unknown_member="Unknown").copy("d.marketing_opt_in", scd=1)
customer.copy("d.signup_date", scd=0)
customer.add("valid_from", "t", "SCD_FROM").add("valid_to", "t", "SCD_TO").add("is_current", "b", "SCD_CURRENT")
customer.add("batch_id", "s", "AUDIT", constant="batch_id").add("row_hash", "s", "AUDIT", constant="row_hash")

address = Table("dim_customer_address", "DIMENSION", "SCD2", "customer_addresses", grain=["customer_id"],
                effective_from="valid_from")
address.add("address_key", "i", "SURROGATE", key="SURROGATE").copy("d.customer_id", key="BUSINESS")
for path in ("d.street", "d.postal_code", "d.city", "d.country"):
    address.copy(path, scd=2)
address.add("valid_from", "d", "SCD_FROM").add("valid_to", "d", "SCD_TO").add("is_current", "b", "SCD_CURRENT")

product = Table("dim_product", "DIMENSION", "SCD1", "products", grain=["product_id"],
                joins=[("categories", "category", "d", ["category_id"], ["category_id"]),
                       ("categories", "parent", "category", ["parent_category_id"], ["category_id"]),
                       ("suppliers", "supplier", "d", ["supplier_id"], ["supplier_id"])])
product.add("product_key", "i", "SURROGATE", key="SURROGATE").copy("d.product_id", key="BUSINESS")
product.copy("d.sku").copy("d.product_name", unknown_member="Unknown").copy("category.category_name")
product.add("department", "s", "COALESCE", "parent.category_name", "category.category_name")
product.copy("supplier.supplier_name").copy("d.list_price").copy("d.unit_cost").copy("d.weight_kg")
product.add("source_file", "s", "AUDIT", constant="source_file").add("loaded_at", "t", "AUDIT", constant="loaded_at")

store = Table("dim_store", "DIMENSION", "SCD1", "stores", grain=["store_id"])
store.add("store_key", "i", "SURROGATE", key="SURROGATE").copy("d.store_id", key="BUSINESS")
for path in ("d.store_name", "d.city", "d.region", "d.country", "d.opened_on", "d.floor_area_sqm"):
    store.copy(path)

promotion = Table("dim_promotion", "DIMENSION", "SCD1", "promotions", grain=["promotion_id"])
promotion.add("promotion_key", "i", "SURROGATE", key="SURROGATE").copy("d.promotion_id", key="BUSINESS")
promotion.copy("d.promotion_name").copy("d.discount_percent").copy("d.starts_on").copy("d.ends_on")

campaign = Table("dim_campaign", "DIMENSION", "SCD1", "marketing_spend_flat", grain=["campaign_id"], distinct_rows=True)
campaign.add("campaign_key", "i", "SURROGATE", key="SURROGATE").copy("d.campaign_id", key="BUSINESS")
for path in ("d.campaign_name", "d.channel", "d.agency_code", "d.agency_name", "d.agency_country"):
    campaign.copy(path)

line = Table("fact_order_line", "FACT", "MERGE", "order_items", grain=["order_id", "line_no"],
             says="one row per order line", cluster_by=["order_date_key"],
             joins=[("orders", "o", "d", ["order_id"], ["order_id"])],
             depends_on=["dim_date", "dim_customer", "dim_customer_address", "dim_product", "dim_store",
                         "dim_promotion"])
line.copy("d.order_id", key="DEGENERATE").copy("d.line_no", key="DEGENERATE")
line.add("customer_key", "i", "LOOKUP", "o.customer_id", dimension="dim_customer", as_of="o.order_ts", key="FOREIGN")
line.add("address_key", "i", "LOOKUP", "o.customer_id", dimension="dim_customer_address", as_of="o.order_ts",
         key="FOREIGN")
line.add("product_key", "i", "LOOKUP", "d.product_id", dimension="dim_product", key="FOREIGN")
line.add("store_key", "i", "LOOKUP", "o.store_id", dimension="dim_store", key="FOREIGN")
line.add("promotion_key", "i", "LOOKUP", "o.promotion_id", dimension="dim_promotion", key="FOREIGN")
line.add("order_date_key", "i", "DATE_KEY", "o.order_ts", key="FOREIGN", role="order")
line.add("required_date_key", "i", "DATE_KEY", "o.required_date", key="FOREIGN", role="required")
line.copy("o.status", name="order_status")
for path in ("d.quantity", "d.unit_price", "d.discount_amount", "d.line_total"):
    line.copy(path, measure=True)
line.add("gross_amount", "14.2", "MULTIPLY", "d.quantity", "d.unit_price", measure=True)
line.target["columns"][-5]["rules"] = [rule("Q0007", "RANGE", "FAIL", [], low="1", says="quantity is positive")]

payment = Table("fact_payment", "FACT", "MERGE", "payments", grain=["payment_id"],
                joins=[("orders", "o", "d", ["order_id"], ["order_id"])], depends_on=["dim_date", "dim_customer"])
payment.copy("d.payment_id", key="DEGENERATE").copy("d.order_id", key="DEGENERATE")
payment.add("customer_key", "i", "LOOKUP", "o.customer_id", dimension="dim_customer", key="FOREIGN")
payment.add("paid_date_key", "i", "DATE_KEY", "d.paid_at", key="FOREIGN").copy("d.method")
payment.copy("d.amount", measure=True)

back = Table("fact_return", "FACT", "MERGE", "returns", grain=["return_id"],
             joins=[("order_items", "line", "d", ["order_id", "line_no"], ["order_id", "line_no"])],
             depends_on=["dim_date", "dim_product"])
back.copy("d.return_id", key="DEGENERATE")
back.add("product_key", "i", "LOOKUP", "line.product_id", dimension="dim_product", key="FOREIGN")
back.add("returned_date_key", "i", "DATE_KEY", "d.returned_on", key="FOREIGN").copy("d.reason")
back.copy("d.quantity", measure=True).copy("d.refund_amount", measure=True)

spend = Table("fact_marketing_spend", "FACT", "MERGE", "marketing_spend_flat",
              grain=["week_start", "region", "campaign_id"], depends_on=["dim_date", "dim_campaign"])
spend.copy("d.week_start").copy("d.region").copy("d.campaign_id")
spend.add("campaign_key", "i", "LOOKUP", "d.campaign_id", dimension="dim_campaign", key="FOREIGN")
spend.add("week_date_key", "i", "DATE_KEY", "d.week_start", key="FOREIGN")
for path in ("d.impressions", "d.clicks", "d.spend"):
    spend.copy(path, measure=True)

bridge = Table("bridge_product_promotion", "BRIDGE", "MERGE", "product_promotions",
               grain=["product_key", "promotion_key"], depends_on=["dim_product", "dim_promotion"])
bridge.add("product_key", "i", "LOOKUP", "d.product_id", dimension="dim_product", key="FOREIGN")
bridge.add("promotion_key", "i", "LOOKUP", "d.promotion_id", dimension="dim_promotion", key="FOREIGN")
bridge.copy("d.featured")



def found_files(root, pattern):
    for path in sorted(p for p in root.rglob("*.csv") if fnmatch.fnmatch(p.name, pattern)):
        content = path.read_bytes()
        yield {"path": str(path), "bytes": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}


def main():
    here = pathlib.Path(__file__).resolve()
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else here.parents[3] / "data" / "ecommerce"
    for source in SOURCES:
        source["files"] = list(found_files(root, source["file_pattern"]))
    print(json.dumps({"name": "ecommerce", "version": "1", "method": "human", "source_root": str(root),
                      "sources": SOURCES, "targets": TARGETS}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
