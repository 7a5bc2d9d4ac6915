#!/usr/bin/env python3
"""Writes the sample data: data/ecommerce (the first full export) and data/ecommerce-day2 (the next day's batch).

An invented retailer with shops and a web shop. The exports carry the dirt that real ones carry; every defect is put in
on purpose and counted, and the counts end up in the README beside the data. Only the standard library, one seed and
one source of randomness (`Random.random`, whose sequence Python guarantees), so that the output is byte-identical
wherever it runs:

    python3 data/generate.py [OUTPUT_FOLDER]
"""

import json
import random
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

SEED = 20260101
FIRST_DAY = date(2024, 1, 1)
LAST_DAY = date(2025, 12, 31)

FIRST_NAMES = """Anna Ben Carla David Elif Farid Grace Hugo Ines Jonas Katja Liam Mei Nadia Oskar Priya Quentin Rosa
Samuel Tara Umar Vera William Xenia Yara Zoë José Łukasz Søren Chloé""".split()
LAST_NAMES = """Adams Becker Costa Dubois Eriksson Fischer García Hansen Ivanov Jansen Keller Lopez Müller Nowak Okafor
Petrov Quinn Rossi Schmidt Tanaka Urban Vogel Weber Xu Yilmaz Zimmermann O'Neill Smith Brown Silva""".split()
CITIES = [("Berlin", "DE", "10"), ("Hamburg", "DE", "20"), ("Leipzig", "DE", "04"), ("Dresden", "DE", "01"),
          ("Lyon", "FR", "69"), ("Nice", "FR", "06"), ("Boston", "US", "02"), ("Newark", "US", "07"),
          ("Austin", "US", "78"), ("Madrid", "ES", "28"), ("Vienna", "AT", "1"), ("Warsaw", "PL", "00")]
STREETS = "Oak Street,Mill Lane,Station Road,Hauptstrasse,Rue du Port,Calle Mayor,Park Avenue,Lindenweg".split(",")
TREE = [("Electronics", ["Phones", "Laptops", "Audio", "Cameras"]),
        ("Home", ["Kitchen", "Bedding", "Lighting", "Garden"]),
        ("Sports", ["Running", "Cycling", "Camping"]),
        ("Toys", ["Puzzles", "Models", "Outdoor Play"]),
        ("Books", ["Fiction", "Science", "Children"])]
ADJECTIVES = "Classic Compact Ultra Nordic Urban Alpine Prime Eco Silent Bright Smart Rapid".split()
REASONS = ["damaged", "wrong item", "not as described", "changed mind", "arrived late"]
CARRIERS = ["DHL", "UPS", "Hermes", "GLS"]
CHANNELS = ["web", "store", "phone"]


class Dice:
    """Every random decision, from one documented sequence."""

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def below(self, n):
        return int(self._random() * n)

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def chance(self, p):
        return self._random() < p

    def one(self, items):
        return items[self.below(len(items))]

    def some(self, items, n):
        """n distinct items, in the order of the list."""
        chosen = set()
        while len(chosen) < n:
            chosen.add(self.below(len(items)))
        return [items[i] for i in sorted(chosen)]

    def money(self, low, high):
        """Cents, more often small than large."""
        return low + int((high - low) * self._random() ** 2)


class Table:
    """Rows of text on their way into one or more CSV files."""

    def __init__(self, name, columns, delimiter=",", encoding="utf-8"):
        self.name = name
        self.columns = columns
        self.delimiter = delimiter
        self.encoding = encoding
        self.rows = []
        self.ragged = {}   # row index -> raw line written before that row
        self.dirt = []

    def add(self, *values):
        assert len(values) == len(self.columns), (self.name, values)
        self.rows.append(["" if v is None else str(v) for v in values])

    def note(self, text):
        self.dirt.append(text)

    def repeat(self, dice, n):
        """Writes n rows a second time, further down, as exports do that were cut and pasted together."""
        for row in dice.some(self.rows, n):
            self.rows.insert(dice.between(self.rows.index(row) + 1, len(self.rows)), list(row))
        self.note(f"{n} rows written twice, equal in every column")

    def pad(self, dice, column, n):
        at = self.columns.index(column)
        for row in dice.some([r for r in self.rows if r[at]], n):
            row[at] = dice.one(["  {}", "{}  ", " {} "]).format(row[at])
        self.note(f"{n} values of `{column}` padded with blanks")

    def spell_null(self, dice, column, n, spelling="N/A"):
        at = self.columns.index(column)
        for row in dice.some([r for r in self.rows if r[at] != spelling], n):
            row[at] = spelling
        self.note(f"{n} values of `{column}` " + (f"say `{spelling}`" if spelling else "are empty"))

    def break_lines(self, dice, n):
        """Adds n lines with too few or too many fields."""
        for i, at in enumerate(dice.some(range(10, len(self.rows) - 10), n)):
            fields = list(self.rows[at])
            fields = fields[:2] if i % 2 == 0 else fields + ["", "surplus"]
            self.ragged[at] = self.delimiter.join(fields)
        self.note(f"{n} ragged lines (too few or too many fields), no record of their own")

    def quote(self, value):
        if any(c in value for c in (self.delimiter, '"', "\n")):
            return '"' + value.replace('"', '""') + '"'
        return value

    def write(self, folder, split=None):
        """split(row) names the file of a row; without it there is one file."""
        files = {}
        for i, row in enumerate(self.rows):
            lines = files.setdefault(split(row) if split else self.name, [self.delimiter.join(self.columns)])
            if i in self.ragged:
                lines.append(self.ragged[i])
            lines.append(self.delimiter.join(self.quote(v) for v in row))
        for name, lines in files.items():
            (folder / f"{name}.csv").write_bytes(("\n".join(lines) + "\n").encode(self.encoding))
        return sorted(f"{name}.csv" for name in files)


def iso(day):
    return day.isoformat()


def german(day):
    return day.strftime("%d.%m.%Y")


def dollars(cents):
    return f"${cents // 100:,}.{cents % 100:02d}"


def plain(cents):
    return f"{cents // 100}.{cents % 100:02d}"


def comma(cents):
    whole = f"{cents // 100:,}".replace(",", ".")
    return f"{whole},{cents % 100:02d}"


class Shop:
    """The retailer as it really is; the tables are its exports."""

    def __init__(self):
        self.dice = Dice(SEED)
        self.tables = {}
        self.prices = {}        # product_id -> list price in cents
        self.customer_ids = []
        self.customers = {}     # customer_id -> exported row
        self.store_ids = []
        self.staff = {}         # store_id -> employee ids
        self.promotion_ids = []
        self.orders = {}        # order_id -> (moment, lines, shipping cents)
        self.next_order = 500001
        self.next_payment = 1
        self.next_shipment = 1
        self.next_return = 1

    def table(self, name, *columns, **options):
        self.tables[name] = Table(name, columns, **options)
        return self.tables[name]

    # -- master data ---------------------------------------------------------------------------------------------

    def categories(self):
        t = self.table("categories", "category_id", "category_name", "parent_category_id", "description")
        self.leaves = []
        number = 0
        for parent, children in TREE:
            number += 1
            parent_id = f"CAT-{number:02d}"
            t.add(parent_id, parent, None, f"Everything for {parent.lower()}")
            for child in children:
                number += 1
                t.add(f"CAT-{number:02d}", child, parent_id, f"{child}, part of {parent}")
                self.leaves.append((f"CAT-{number:02d}", child))
        t.note("a hierarchy in one table: `parent_category_id` is empty for the five roots")

    def suppliers(self):
        t = self.table("suppliers", "supplier_id", "supplier_name", "contact_email", "city", "country", "rating",
                       "lead_time_days", "active", encoding="latin-1")
        dice = self.dice
        for i in range(1, 41):
            last = dice.one([n for n in LAST_NAMES if n.isascii()] + ["Müller", "García", "Bäcker", "Françoise"])
            city, country, _ = dice.one(CITIES)
            t.add(f"{i * 7:05d}", f"{last} {dice.one(['Trading', 'GmbH', 'Frères', 'y Compañía', 'Ltd'])}",
                  f"sales{i}@supplier{i}.example", city, country, f"{dice.between(25, 50) / 10}",
                  dice.between(2, 45), dice.one(["yes", "yes", "yes", "no"]))
        t.note("the file is ISO 8859-1, all others are UTF-8")
        t.note("`supplier_id` has leading zeros (`00007`), here and in products")

    def products(self):
        t = self.table("products", "product_id", "sku", "product_name", "category_id", "supplier_id", "unit_cost",
                       "list_price", "weight_kg", "launched_on", "discontinued", "updated_at")
        dice = self.dice
        for i in range(1, 301):
            category_id, category = dice.one(self.leaves)
            price = dice.money(499, 249900)
            self.prices[i] = price
            t.add(i, f"{dice.between(1, 99999):06d}-{i:03d}", f"{dice.one(ADJECTIVES)} {category} {i}", category_id,
                  f"{dice.between(1, 40) * 7:05d}", plain(price * dice.between(45, 75) // 100), dollars(price),
                  f"{dice.between(1, 250) / 10}", iso(FIRST_DAY - timedelta(days=dice.between(30, 900))),
                  "true" if dice.chance(0.06) else "false", f"2024-01-0{dice.between(1, 9)} 06:00:00")
        t.spell_null(dice, "weight_kg", 11)
        t.pad(dice, "product_name", 13)
        for row in dice.some(t.rows, 6):
            again = list(row)
            again[6] = dollars(int(self.prices[int(row[0])] * 1.1))
            again[10] = "2025-02-15 06:00:00"
            self.prices[int(row[0])] = int(self.prices[int(row[0])] * 1.1)
            t.rows.append(again)
        t.note("6 products stand twice with the same `product_id`: the later `updated_at` carries the new price")
        t.note("`list_price` is text with a currency sign and group separators: `$1,299.00`")

    def stores(self):
        t = self.table("stores", "store_id", "store_name", "city", "region", "country", "opened_on",
                       "floor_area_sqm", "phone")
        dice = self.dice
        for i, (city, country, _) in enumerate(CITIES, 1):
            store_id = f"S{i:02d}"
            self.store_ids.append(store_id)
            t.add(store_id, f"{city} {dice.one(['Centre', 'Mall', 'North', 'Station'])}", city,
                  {"US": "Americas"}.get(country, "EMEA"), country,
                  german(date(2010, 1, 1) + timedelta(days=dice.between(0, 4500))), dice.between(180, 2400),
                  f"+{dice.between(1, 49)} {dice.between(100, 999)} {dice.between(1000000, 9999999)}")
        t.pad(dice, "city", 4)
        t.note("`opened_on` is written 31.12.2015")

    def employees(self):
        t = self.table("employees", "employee_id", "first_name", "last_name", "email", "job_title", "hired_on",
                       "store_id", "manager_id")
        dice = self.dice
        t.add(1, "Grace", "Keller", "grace.keller@shop.example", "Head of Retail", "2012-03-01", None, None)
        number = 1
        for store_id in self.store_ids:
            number += 1
            manager = number
            self.staff[store_id] = []
            for title in ["Store Manager", "Cashier", "Sales Associate", "Sales Associate", "Stock Clerk"]:
                first, last = dice.one(FIRST_NAMES), dice.one(LAST_NAMES)
                t.add(number, first, last, f"e{number:03d}@shop.example", title,
                      iso(date(2013, 1, 1) + timedelta(days=dice.between(0, 3900))), store_id,
                      1 if number == manager else manager)
                self.staff[store_id].append(number)
                number += 1
            number -= 1
        t.note("a hierarchy in one table: `manager_id` references `employee_id` and is empty for the head")

    def customer_row(self, customer_id):
        dice = self.dice
        first, last = dice.one(FIRST_NAMES), dice.one(LAST_NAMES)
        born = date(1945, 1, 1) + timedelta(days=dice.between(0, 22000))
        joined = date(2021, 1, 1) + timedelta(days=dice.between(0, 1090))
        return [str(customer_id), first, last, f"{'user'}{customer_id}@mail.example",
                f"+{dice.between(1, 49)}-{dice.between(100, 999)}-{dice.between(100000, 999999)}",
                german(born) if dice.chance(0.3) else iso(born), dice.one(["F", "M", "X", "F", "M"]),
                dice.one(["bronze", "bronze", "silver", "gold"]), dice.one(["Y", "N", "yes", "no"]), iso(joined)]

    def all_customers(self):
        t = self.table("customers", "customer_id", "first_name", "last_name", "email", "phone", "birth_date",
                       "gender", "loyalty_tier", "marketing_opt_in", "signup_date")
        for i in range(1500):
            row = self.customer_row(10001 + i * 3)
            self.customer_ids.append(int(row[0]))
            self.customers[int(row[0])] = row
            t.rows.append(list(row))
        t.note("`marketing_opt_in` is spelled `Y`, `N`, `yes`, `no`")
        t.spell_null(self.dice, "birth_date", 52)
        german_dates = sum(1 for r in t.rows if "." in r[5])
        t.note(f"`birth_date` in two formats: {german_dates} as 31.12.1980, the others as 1980-12-31")
        t.spell_null(self.dice, "gender", 23)
        t.spell_null(self.dice, "phone", 31, "")
        t.pad(self.dice, "last_name", 37)
        t.repeat(self.dice, 14)

    def address(self, customer_id, since):
        dice = self.dice
        city, country, prefix = dice.one(CITIES)
        postal = (prefix + f"{dice.below(10 ** (5 - len(prefix))):0{5 - len(prefix)}d}") if country != "AT" else \
            f"1{dice.between(10, 230):03d}"
        return [str(customer_id), iso(since), f"{dice.between(1, 240)} {dice.one(STREETS)}", postal, city, country]

    def addresses(self):
        t = self.table("customer_addresses", "customer_id", "valid_from", "street", "postal_code", "city", "country")
        dice = self.dice
        moved = 0
        for customer_id in self.customer_ids:
            since = date.fromisoformat(self.customers[customer_id][9])
            t.add(*self.address(customer_id, since))
            while dice.chance(0.14):
                since = max(since, FIRST_DAY) + timedelta(days=dice.between(20, 330))
                if since > LAST_DAY:
                    break
                moved += 1
                t.add(*self.address(customer_id, since))
        t.note(f"a history: {moved} moves; the row with the latest `valid_from` is the current address")
        leading = sum(1 for r in t.rows if r[3].startswith("0"))
        t.note(f"{leading} values of `postal_code` begin with a zero")
        for i in range(5):
            t.add(*self.address(99001 + i, date(2024, 5, 1) + timedelta(days=i)))
        t.note("5 orphans: addresses of customers that do not exist")
        t.repeat(dice, 9)

    def promotions(self):
        t = self.table("promotions", "promotion_id", "promotion_name", "discount_percent", "starts_on", "ends_on",
                       "channel")
        bridge = self.table("product_promotions", "product_id", "promotion_id", "featured")
        dice = self.dice
        for i in range(1, 31):
            promotion_id = f"PR-{2024 + (i > 15)}-{i:03d}"
            start = FIRST_DAY + timedelta(days=(i - 1) * 24)
            self.promotion_ids.append(promotion_id)
            t.add(promotion_id, f"{dice.one(ADJECTIVES)} Deals {i}", f"{dice.between(1, 8) * 5}%", iso(start),
                  iso(start + timedelta(days=dice.between(5, 20))), dice.one(["web", "store", "all"]))
            for product_id in dice.some(range(1, 301), dice.between(8, 18)):
                bridge.add(product_id, promotion_id, dice.one(["Y", "N", "N"]))
        t.note("`discount_percent` is written `15%`")
        bridge.repeat(dice, 7)

    # -- events --------------------------------------------------------------------------------------------------

    def new_order(self, day, customer_id):
        """(order row, line rows); remembers what the later events need."""
        dice = self.dice
        order_id = self.next_order
        self.next_order += 1
        moment = datetime(day.year, day.month, day.day, dice.between(7, 21), dice.below(60), dice.below(60))
        channel = dice.one(CHANNELS)
        store_id = dice.one(self.store_ids) if channel == "store" else None
        employee = dice.one(self.staff[store_id]) if store_id else None
        shipping = 0 if store_id else dice.one([0, 495, 495, 995])
        lines = []
        for line_no in range(1, 2 + dice.below(3) + dice.below(2)):
            product_id = dice.between(1, 300)
            price = self.prices[product_id] * dice.one([100, 100, 100, 95, 90]) // 100
            quantity = dice.one([1, 1, 1, 2, 2, 3, 5])
            discount = price * quantity // 10 if dice.chance(0.15) else 0
            lines.append((line_no, product_id, quantity, price, discount))
        self.orders[order_id] = (moment, lines, shipping, store_id)
        old_export = day < date(2024, 4, 1)
        written = moment.strftime("%m/%d/%Y %H:%M:%S") if old_export else moment.isoformat(" ")
        row = [order_id, customer_id, store_id or "N/A", employee, written, iso(day + timedelta(days=dice.between(1, 9))),
               dice.one(["completed", "completed", "completed", "shipped", "cancelled"]), channel,
               dice.one(self.promotion_ids) if dice.chance(0.2) else None, plain(shipping)]
        return [None if v is None else v for v in row]

    def sell(self):
        orders = self.table("orders", "order_id", "customer_id", "store_id", "employee_id", "order_ts",
                            "required_date", "status", "channel", "promotion_id", "shipping_fee")
        items = self.table("order_items", "order_id", "line_no", "product_id", "quantity", "unit_price",
                           "discount_amount", "line_total")
        dice = self.dice
        span = (LAST_DAY - FIRST_DAY).days
        for i in range(9000):
            day = FIRST_DAY + timedelta(days=i * span // 9000)
            orders.add(*self.new_order(day, dice.one(self.customer_ids)))
        american = sum(1 for r in orders.rows if "/" in r[4])
        orders.note("one table in two files, `orders_2024.csv` and `orders_2025.csv`")
        orders.note(f"`order_ts` in two formats: {american} as 03/31/2024 14:05:00, the others as 2024-04-01 14:05:00")
        online = sum(1 for r in orders.rows if r[2] == "N/A")
        orders.note(f"{online} orders without a store: `store_id` says `N/A`, `employee_id` is empty")
        for row in dice.some(orders.rows, 23):
            row[1] = str(90001 + dice.below(400))
        orders.note("23 orphans: `customer_id` of customers that were deleted")
        orders.repeat(dice, 41)
        orders.break_lines(dice, 4)
        for order_id, (_, lines, _, _) in self.orders.items():
            for line in lines:
                items.add(order_id, *self.line_fields(line))
        for row in dice.some(items.rows, 17):
            row[0] = str(400001 + dice.below(900))
        items.note("17 orphans: lines of orders that do not exist")
        for row in dice.some(items.rows, 5):
            row[3] = dice.one(["two", "1O", "-", "n.a.", "3 pcs"])
        items.note("5 values of `quantity` are not numbers: such rows belong in quarantine")
        items.repeat(dice, 63)

    def line_fields(self, line):
        line_no, product_id, quantity, price, discount = line
        return line_no, product_id, quantity, plain(price), plain(discount), dollars(price * quantity - discount)

    def pay_and_ship(self):
        payments = self.table("payments", "payment_id", "order_id", "method", "amount", "paid_at", "status",
                              delimiter=";")
        shipments = self.table("shipments", "shipment_id", "order_id", "carrier", "tracking_no", "shipped_on",
                               "delivered_on", "freight_cost")
        for order_id in self.orders:
            self.pay(payments, order_id)
            self.ship(shipments, order_id, LAST_DAY)
        payments.note("fields are separated by semicolons, `amount` has a decimal comma: `1.234,56`")
        payments.repeat(self.dice, 28)
        unknown = sum(1 for r in shipments.rows if not r[5])
        shipments.note(f"`delivered_on` is empty for {unknown} parcels still on their way")
        shipments.spell_null(self.dice, "delivered_on", 19)
        shipments.note("`tracking_no` has leading zeros")
        shipments.break_lines(self.dice, 2)

    def pay(self, payments, order_id):
        moment, lines, shipping, _ = self.orders[order_id]
        total = sum(price * quantity - discount for _, _, quantity, price, discount in lines) + shipping
        parts = [total // 2, total - total // 2] if self.dice.chance(0.04) else [total]
        for part in parts:
            paid = moment + timedelta(minutes=self.dice.between(0, 900))
            payments.add(f"PAY{self.next_payment:07d}", order_id,
                         self.dice.one(["card", "card", "paypal", "invoice", "gift card"]), comma(part),
                         paid.isoformat(" "), self.dice.one(["settled", "settled", "settled", "pending"]))
            self.next_payment += 1

    def ship(self, shipments, order_id, today):
        moment, _, _, store_id = self.orders[order_id]
        if store_id or self.dice.chance(0.05):
            return
        sent = moment.date() + timedelta(days=self.dice.between(0, 3))
        arrived = sent + timedelta(days=self.dice.between(1, 6))
        shipments.add(self.next_shipment, order_id, self.dice.one(CARRIERS), f"{self.dice.below(10 ** 9):012d}",
                      iso(sent), iso(arrived) if arrived <= today else None, plain(self.dice.money(250, 2400)))
        self.next_shipment += 1

    def give_back(self):
        t = self.table("returns", "return_id", "order_id", "line_no", "returned_on", "quantity", "reason",
                       "refund_amount")
        for order_id in self.orders:
            if self.dice.chance(0.09):
                self.give_back_one(t, order_id)
        for row in self.dice.some(t.rows, 3):
            row[2] = "99"
        t.note("3 orphans: `line_no` that the order does not have")
        t.note("`refund_amount` is negative and written in parentheses: `(12.50)`")

    def give_back_one(self, t, order_id):
        moment, lines, _, _ = self.orders[order_id]
        line_no, _, quantity, price, _ = self.dice.one(lines)
        back = self.dice.between(1, quantity)
        t.add(f"R-{self.next_return:05d}", order_id, line_no,
              iso(moment.date() + timedelta(days=self.dice.between(3, 30))), back, self.dice.one(REASONS),
              f"({plain(price * back)})")
        self.next_return += 1

    def inventory(self):
        t = self.table("inventory_snapshots", "snapshot_date", "store_id", "product_id", "on_hand", "reserved")
        for month in range(1, 13):
            day = date(2025, month, 1)
            for store_id in self.store_ids:
                for product_id in range(3, 301, 3):
                    on_hand = self.dice.below(140)
                    t.add(iso(day), store_id, product_id, on_hand, self.dice.below(on_hand // 4 + 1))
        t.note("semi-additive: `on_hand` and `reserved` may be summed over stores and products, not over months")
        t.repeat(self.dice, 12)

    def marketing(self):
        t = self.table("marketing_spend_flat", "week_start", "region", "campaign_id", "campaign_name", "channel",
                       "agency_code", "agency_name", "agency_country", "impressions", "clicks", "spend")
        dice = self.dice
        agencies = [(f"AG{i}", f"{dice.one(LAST_NAMES)} Media {i}", dice.one(["DE", "US", "FR"])) for i in range(1, 7)]
        campaigns = [(f"CMP-{i:03d}", f"{dice.one(ADJECTIVES)} {dice.one(['Spring', 'Summer', 'Winter', 'Sale'])} {i}",
                      dice.one(["search", "social", "display", "email"]), *dice.one(agencies)) for i in range(1, 25)]
        for week in range(104):
            for campaign in dice.some(campaigns, 6):
                for region in dice.some(["Americas", "EMEA", "APAC", "LATAM"], dice.between(2, 4)):
                    impressions = dice.money(1000, 900000)
                    t.add(iso(FIRST_DAY + timedelta(weeks=week)), region, *campaign, impressions,
                          impressions * dice.between(2, 60) // 1000, "€" + f"{dice.money(5000, 900000) / 100:,.2f}")
        t.note("flat: campaign and agency attributes repeat in every row")
        t.note("`spend` is text with a currency sign: `€1,234.50`")

    def build(self):
        for step in (self.categories, self.suppliers, self.products, self.stores, self.employees, self.all_customers,
                     self.addresses, self.promotions, self.sell, self.pay_and_ship, self.give_back, self.inventory,
                     self.marketing):
            step()

    # -- the next day --------------------------------------------------------------------------------------------

    def next_day(self):
        """What arrives on the second day: changes, additions, late events, and one new column."""
        first, self.tables = self.tables, {}
        today = LAST_DAY + timedelta(days=1)
        self.changed_customers(first, today)
        self.changed_products(first)
        self.new_orders(first, today)
        return first

    def changed_customers(self, first, today):
        dice = self.dice
        columns = first["customers"].columns + ("preferred_language",)
        customers = self.table("customers", *columns)
        addresses = self.table("customer_addresses", *first["customer_addresses"].columns)
        for customer_id in dice.some(self.customer_ids, 45):
            row = self.customers[customer_id]
            row[7] = {"bronze": "silver", "silver": "gold", "gold": "platinum"}[row[7]]
            customers.rows.append(list(row) + [dice.one(["de", "en", "fr"])])
        customers.note("a new column, `preferred_language`")
        customers.note("45 customers with a new `loyalty_tier`, 30 new customers")
        for customer_id in dice.some(self.customer_ids, 25):
            addresses.add(*self.address(customer_id, today))
        addresses.note("25 moves")
        for i in range(30):
            row = self.customer_row(20001 + i)
            row[9] = iso(today)
            self.customer_ids.append(int(row[0]))
            self.customers[int(row[0])] = row
            customers.rows.append(list(row) + [dice.one(["de", "en", "fr"])])
            addresses.add(*self.address(row[0], today))

    def changed_products(self, first):
        t = self.table("products", *first["products"].columns)
        at = first["products"].rows
        for row in self.dice.some(at[:300], 8):
            again = [v.strip() for v in row]
            again[6], again[10] = dollars(int(self.prices[int(row[0])] * 1.05)), "2026-01-01 06:00:00"
            t.rows.append(again)
        t.note("8 products with a new price")

    def new_orders(self, first, today):
        dice = self.dice
        orders = self.table("orders", *first["orders"].columns)
        items = self.table("order_items", *first["order_items"].columns)
        payments = self.table("payments", *first["payments"].columns, delimiter=";")
        shipments = self.table("shipments", *first["shipments"].columns)
        known = set(self.orders)
        for _ in range(140):
            orders.add(*self.new_order(today, dice.one(self.customer_ids)))
        for _ in range(12):
            orders.add(*self.new_order(date(2025, 11, 3) + timedelta(days=dice.between(0, 40)),
                                       dice.one(self.customer_ids[:1500])))
        orders.note("the file is `orders_2026.csv`: 140 orders of 2026-01-01 and 12 late ones of November and December")
        for order_id in [o for o in self.orders if o not in known]:
            for line in self.orders[order_id][1]:
                items.add(order_id, *self.line_fields(line))
            self.pay(payments, order_id)
            self.ship(shipments, order_id, today)
        changed = dice.some([r for r in first["orders"].rows if r[6] == "shipped" and r[4] > "2025-12"], 20)
        for row in changed:
            again = list(row)
            again[6] = "completed"
            orders.rows.append(again)
        orders.note("20 known orders again, now `completed`")
        repeated = dice.some(first["order_items"].rows[-2000:], 15)
        items.rows.extend(list(row) for row in repeated)
        items.note("15 lines that were delivered the day before already")


PRIMARY_KEYS = {
    "categories": ["category_id"], "suppliers": ["supplier_id"], "products": ["product_id"], "stores": ["store_id"],
    "employees": ["employee_id"], "customers": ["customer_id"], "customer_addresses": ["customer_id", "valid_from"],
    "promotions": ["promotion_id"], "product_promotions": ["product_id", "promotion_id"], "orders": ["order_id"],
    "order_items": ["order_id", "line_no"], "payments": ["payment_id"], "shipments": ["shipment_id"],
    "returns": ["return_id"], "inventory_snapshots": ["snapshot_date", "store_id", "product_id"],
    "marketing_spend_flat": ["week_start", "region", "campaign_id"],
}
FACTS = {"orders", "order_items", "payments", "shipments", "returns", "inventory_snapshots", "marketing_spend_flat"}
ALTERNATE_KEYS = {"products": [["sku"]], "customers": [["email"]], "employees": [["email"]],
                  "categories": [["category_name"]], "promotions": [["promotion_name"], ["starts_on"]],
                  "suppliers": [["contact_email"]]}
FOREIGN_KEYS = [
    ("categories", ["parent_category_id"], "categories", ["category_id"]),
    ("products", ["category_id"], "categories", ["category_id"]),
    ("products", ["supplier_id"], "suppliers", ["supplier_id"]),
    ("employees", ["store_id"], "stores", ["store_id"]),
    ("employees", ["manager_id"], "employees", ["employee_id"]),
    ("customer_addresses", ["customer_id"], "customers", ["customer_id"]),
    ("product_promotions", ["product_id"], "products", ["product_id"]),
    ("product_promotions", ["promotion_id"], "promotions", ["promotion_id"]),
    ("orders", ["customer_id"], "customers", ["customer_id"]),
    ("orders", ["store_id"], "stores", ["store_id"]),
    ("orders", ["employee_id"], "employees", ["employee_id"]),
    ("orders", ["promotion_id"], "promotions", ["promotion_id"]),
    ("order_items", ["order_id"], "orders", ["order_id"]),
    ("order_items", ["product_id"], "products", ["product_id"]),
    ("payments", ["order_id"], "orders", ["order_id"]),
    ("shipments", ["order_id"], "orders", ["order_id"]),
    ("returns", ["order_id", "line_no"], "order_items", ["order_id", "line_no"]),
    ("inventory_snapshots", ["store_id"], "stores", ["store_id"]),
    ("inventory_snapshots", ["product_id"], "products", ["product_id"]),
]


def truth(tables):
    listed = []
    for name in sorted(tables):
        role = "bridge" if name == "product_promotions" else "fact" if name in FACTS else "dimension"
        entry = {"name": name, "rows": len(tables[name].rows), "primary_key": PRIMARY_KEYS[name], "role": role}
        if name in ALTERNATE_KEYS:
            entry["alternate_keys"] = ALTERNATE_KEYS[name]
        if name == "customer_addresses":
            entry["role_also"] = ["other"]
        listed.append(entry)
    return {
        "name": "ecommerce",
        "tables": listed,
        "foreign_keys": [{"from": f, "columns": c, "to": t, "to_columns": k} for f, c, t, k in FOREIGN_KEYS],
        "optional_foreign_keys": [{"from": "returns", "columns": ["order_id"], "to": "orders",
                                   "to_columns": ["order_id"]}],
        "dropped": [],
        "notes": "rows counts data rows, those written twice included, ragged lines not. customer_addresses is a "
                 "history: its key is the customer and the day from which the address holds.",
    }


def readme(title, intro, tables, files):
    lines = [f"# {title}", "", *intro, "", "| table | files | rows | what is wrong or odd with it |", "|---|---|---|---|"]
    for name in sorted(tables):
        table = tables[name]
        lines.append(f"| {name} | {', '.join(files[name])} | {len(table.rows):,} | {'; '.join(table.dirt) or 'clean'} |")
    return "\n".join(lines) + "\n"


def write_all(tables, folder, split):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.csv"):
        old.unlink()
    return {name: table.write(folder, split if name == "orders" else None) for name, table in tables.items()}


def order_file(row):
    """The shop exports one file of orders per year of the order."""
    return "orders_2024" if "2024" in row[4][:10] else "orders_2025"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    shop = Shop()
    shop.build()
    first = shop.next_day()
    folder = root / "ecommerce"
    files = write_all(first, folder, order_file)
    (folder / "truth.json").write_text(json.dumps(truth(first), indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(readme("The sample data", [
        "An invented retailer's first full export, made by `data/generate.py` (one seed, no clock; the same bytes each",
        "time). Rows counts data rows, those written twice included and ragged lines not; the other counts are of records,",
        "before some of them were written twice. `truth.json` has the keys, joins and roles that a good design finds."], first, files), encoding="utf-8")
    folder = root / "ecommerce-day2"
    files = write_all(shop.tables, folder, lambda row: "orders_2026")
    (folder / "README.md").write_text(readme("The second day", [
        "The batch that arrives on 2026-01-01, after `data/ecommerce`. Tables that are not here did not change."],
        shop.tables, files), encoding="utf-8")


if __name__ == "__main__":
    main()
