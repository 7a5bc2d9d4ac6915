#!/usr/bin/env python3
"""Makes labelled sets (CSV files + truth.json) from the conceptual schemas in domains.txt.

    generate.py OUT [--seed N] [--per-domain K]

Every set draws its own naming style, kinds of identifiers, sizes and dirt, so that nothing is learned from one style.
Deterministic for a seed. Standard library only.
"""
import argparse
import csv
import json
import os
import random
import re
import string

WORDS = """alpha amber apex arbor aspen atlas aurora birch bravo canyon cedar cobalt coral crest delta dune eagle
echo elm ember falcon fern fjord flint forest galaxy garnet granite grove harbor hazel heron indigo iris ivory jade juniper
lagoon lark linden lotus maple marble meadow mesa mistral nectar nova oak ocean olive onyx opal orchid otter pearl pine
prairie quartz quill raven reef ridge river robin rose sage sierra slate sparrow spruce summit thistle tidal topaz tulip
umber valley velvet violet willow winter wren zephyr zinc""".split()
FIRST = "Ada Ben Carla Dev Eva Finn Gita Hugo Ines Jonas Kira Liam Mona Nils Olga Pedro Quinn Rosa Sami Tara Uwe Vera Wim Xena Yara Zoe".split()
LAST = "Adams Baker Costa Diaz Evans Fischer Garcia Huber Ito Jones Khan Lopez Meyer Novak Olsen Patel Quist Rossi Silva Tanaka Ueda Vogel Weber Xu Young Zhou".split()
CITY = "Berlin Lyon Porto Turin Graz Bern Oslo Turku Gdansk Brno Leeds Cork Ghent Malmo Tartu Riga Kyoto Lima Quito Dakar Accra Perth Boise Tulsa Omaha Reno".split()
STATE = "CA NY TX WA OR NV UT AZ CO FL GA IL MA MI MN NC OH PA VA WI".split()
COUNTRY = "Germany France Italy Spain Austria Norway Finland Poland Japan Peru Ghana Canada Brazil India Kenya Chile".split()
JOBS = "Manager Clerk Analyst Director Engineer Assistant Representative Consultant Buyer Planner".split()
STATUSES = [["open", "closed", "pending"], ["A", "I"], ["new", "active", "done", "cancelled"], ["low", "medium", "high"], ["cash", "card", "wire"]]
CURRENCIES = "USD EUR GBP JPY CHF SEK NOK PLN CAD AUD INR BRL".split()
ABBREVIATIONS = {"customer": "cust", "department": "dept", "employee": "emp", "product": "prod", "account": "acct", "transaction": "txn",
                 "category": "cat", "supplier": "supp", "address": "addr", "location": "loc", "organization": "org",
                 "student": "stu", "instructor": "inst", "invoice": "inv", "publisher": "pub", "author": "au", "store": "stor",
                 "patient": "pat", "constructor": "constr", "territory": "terr", "campaign": "camp", "property": "prop",
                 "demographics": "demo", "household": "hh", "warehouse": "wh", "shipment": "shp", "vehicle": "veh"}
SYNONYMS_AS_REFERENCE = {"employee": ["staff", "rep", "sales_rep", "manager", "handled_by"], "user": ["owner", "created_by", "author"],
                         "customer": ["client", "buyer"], "supplier": ["vendor"], "product": ["item"], "shipper": ["ship_via", "carrier"],
                         "person": ["player"], "staff": ["clerk"], "city": ["town"]}


def plural(word):
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    if re.search(r"(s|x|ch|sh)$", word):
        return word + "es"
    return {"person": "people"}.get(word, word + "s")


def parse(path):
    domains, current = {}, None
    for raw in open(path):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("domain "):
            current = domains.setdefault(line.split()[1], [])
            continue
        head, _, columns = line.partition(" : ")
        name, role, size, key = head.split()
        current.append(dict(name=name, role=role.split("/"), size=size, key=key, columns=columns.split()))
    return domains


def bursts(rng, rows, plain):
    """Rows of a table without a key come in bursts: the next one differs in a value or two."""
    out = []
    for row in rows:
        if out and plain and rng.random() < 0.35:
            twin = list(out[-1])
            for i in rng.sample(plain, min(len(plain), rng.choice([1, 1, 2]))):
                twin[i] = row[i]
            row = twin
        out.append(row)
    return out


class Style:
    """How one set writes its names."""

    def __init__(self, rng):
        self.case = rng.choice(["snake", "snake", "snake", "camel", "pascal", "lower", "upper", "pascalspace"])
        self.tables = rng.choice(["plural", "singular", "singular"])
        self.key = rng.choice(["id", "id", "t_id", "t_id", "t_id", "t_key", "t_sk", "t_code", "t_no", "abbr_id", "t_num"])
        self.strict_fk = rng.random() < 0.75
        self.abbreviate = rng.random() < 0.2
        self.column_prefix = rng.choice([""] * 6 + ["initials", "table"])
        self.table_prefix = rng.choice([""] * 7 + ["dimfact", "tbl", "product", "suffix_data"])
        self.product = rng.choice(WORDS)
        self.fk_plain = rng.random() < 0.08  # the reference is named like the table, without a key word
        self.role_only = rng.random() < 0.35  # origin_airport_id or just origin_id / origin
        self.headerless = False
        self.opaque_tables = rng.random() < 0.06

    def write(self, words):
        words = [w for w in words if w]
        if words and words[0].startswith("^"):  # a prefix that the whole table shares is set off: l_orderkey
            return words[0][1:] + "_" + self.write(words[1:]) if self.case != "upper" else words[0][1:].upper() + "_" + self.write(words[1:])
        if self.case == "snake":
            return "_".join(words)
        if self.case == "upper":
            return "_".join(words).upper()
        if self.case == "lower":
            return "".join(words)
        fix = lambda w: "ID" if w == "id" and self.case == "pascal" and self.upper_id else w.capitalize()
        if self.case == "camel":
            return words[0] + "".join(fix(w) for w in words[1:])
        return "".join(fix(w) for w in words)

    upper_id = False


class Maker:
    def __init__(self, rng, domain, tables):
        self.rng, self.domain = rng, domain
        self.style = Style(rng)
        self.style.upper_id = rng.random() < 0.5
        keep = [t for t in tables]
        # A real export rarely holds everything: drop some tables that nothing references.
        for t in list(keep):
            referenced = any(self.target(c) == t["name"] for o in keep for c in o["columns"] if o is not t)
            if not referenced and rng.random() < 0.15 and len(keep) > 5:
                keep.remove(t)
        self.tables = keep
        self.by_name = {t["name"]: t for t in keep}
        self.scale = rng.choice([dict(t=4, s=6, m=9, l=14), dict(t=5, s=12, m=40, l=120), dict(t=6, s=25, m=150, l=500),
                                 dict(t=8, s=60, m=600, l=2500), dict(t=6, s=30, m=300, l=3000)])
        self.rows, self.headers, self.truth_fk, self.optional = {}, {}, [], []

    @staticmethod
    def target(column):
        m = re.match(r"(?:>>|>|\^)([a-z_]+)", column)
        return m.group(1) if m else None

    # --- names ------------------------------------------------------------------------------------------------------
    def short(self, word):
        return ABBREVIATIONS.get(word, word) if self.style.abbreviate else word

    def table_words(self, name):
        return name.split("_")

    def table_name(self, t):
        s, words = self.style, self.table_words(t["name"])
        if s.tables == "plural":
            words = words[:-1] + [plural(words[-1])]
        if s.table_prefix == "dimfact":
            words = [{"F": "fact", "D": "dim", "B": "bridge", "O": "ref"}[t["role"][0]]] + words
        elif s.table_prefix == "tbl":
            words = ["tbl"] + words
        elif s.table_prefix == "product":
            words = [s.product] + words
        elif s.table_prefix == "suffix_data":
            words = words + ["data"]
        if s.case == "pascalspace":
            return " ".join(w.capitalize() for w in words)
        return s.write(words)

    def key_words(self, name, bare=True):
        """Words of the key of a table as they stand in references."""
        s, words = self.style, [self.short(w) for w in self.table_words(name)]
        if s.key == "id":
            return ["id"] if bare else words + ["id"]
        if s.key == "abbr_id":
            return [ABBREVIATIONS.get(w, w[:4]) for w in words] + ["id"]
        return words + [{"t_id": "id", "t_key": "key", "t_sk": "sk", "t_code": "code", "t_no": "no", "t_num": "num"}[s.key]]

    def prefix(self, t):
        if self.style.column_prefix == "initials":
            words = self.table_words(t["name"])
            return ["^" + ("".join(w[0] for w in words) if len(words) > 1 else words[0][: self.rng_prefix])]
        if self.style.column_prefix == "table":
            return ["^" + self.table_words(t["name"])[-1]]
        return []

    rng_prefix = 1

    def reference_words(self, column):
        s = self.style
        m = re.match(r"(?:>>|>|\^)([a-z_]+)\??(?:@([a-z_]+))?(?:\?)?(?:=([a-z_]+))?", column)
        name, role, opaque = m.group(1), m.group(2), m.group(3)
        role_words = role.split("_") if role else []
        if opaque:
            return opaque.split("_") + ([] if self.rng.random() < 0.4 else ["id"])
        if not role and not s.strict_fk and name in SYNONYMS_AS_REFERENCE and self.rng.random() < 0.3:
            return self.rng.choice(SYNONYMS_AS_REFERENCE[name]).split("_") + ([] if self.rng.random() < 0.4 else ["id"])
        if role and s.role_only:
            return role_words + ([] if self.rng.random() < 0.3 else [self.key_words(name, False)[-1]])
        if s.fk_plain:
            return role_words + self.table_words(name)
        return role_words + self.key_words(name, False)

    # --- values -----------------------------------------------------------------------------------------------------
    def keys_of(self, t, n):
        rng, key = self.rng, t["key"]
        if key == "code":
            kind = rng.choice(["letters", "letters", "mixed", "digits"])
            if kind == "letters":
                width = rng.choice([3, 4, 5]) if n < 500 else 6
                pool = set()
                while len(pool) < n:
                    pool.add("".join(rng.choice(string.ascii_uppercase) for _ in range(width)))
                return sorted(pool, key=lambda _: rng.random())
            if kind == "digits":
                return [f"{v:05d}" for v in rng.sample(range(0, max(n * 20, 9999)), n)]
            return [f"{rng.choice(string.ascii_uppercase)}{rng.choice(string.ascii_uppercase)}{i + 1:04d}" for i in range(n)]
        kind = self.id_kind if rng.random() < 0.85 else rng.choice(["seq", "seq", "offset", "sparse"])
        if kind == "seq":
            return list(range(1, n + 1))
        if kind == "offset":
            start = rng.choice([100, 1000, 10000, 10248, 5001])
            return list(range(start, start + n))
        if kind == "gaps":
            values, v = [], 0
            for _ in range(n):
                v += rng.choice([1, 1, 1, 2, 3, 7])
                values.append(v)
            return values
        if kind == "sparse":
            return rng.sample(range(1000, 10**9), n)
        if kind == "uuid":
            return ["%08x-%04x-4%03x-a%03x-%012x" % (rng.getrandbits(32), rng.getrandbits(16), rng.getrandbits(12), rng.getrandbits(12), rng.getrandbits(48)) for _ in range(n)]
        stem = "".join(w[:2] for w in self.table_words(t["name"]))[:4]
        return [stem + "_" + "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(10)) for _ in range(n)]

    def value(self, kind, i, n):
        r = self.rng
        if kind == "seq":
            return i % 7 + 1
        table = {
            "first": lambda: r.choice(FIRST), "last": lambda: r.choice(LAST), "person": lambda: f"{r.choice(FIRST)} {r.choice(LAST)}",
            "email": lambda: f"{r.choice(FIRST).lower()}.{r.choice(LAST).lower()}{r.randrange(999)}@example.com",
            "phone": lambda: f"+{r.randrange(1, 99)} {r.randrange(100, 999)} {r.randrange(1000000, 9999999)}", "city": lambda: r.choice(CITY),
            "state": lambda: r.choice(STATE), "country": lambda: r.choice(COUNTRY), "zip": lambda: f"{r.randrange(1000, 99999):05d}",
            "addr": lambda: f"{r.randrange(1, 900)} {r.choice(WORDS).capitalize()} St.", "word": lambda: r.choice(WORDS).capitalize(),
            "title": lambda: " ".join(r.choice(WORDS) for _ in range(r.randrange(2, 5))).capitalize(),
            "product": lambda: f"{r.choice(WORDS).capitalize()} {r.choice(WORDS)} {r.randrange(1, 99)}",
            "company": lambda: f"{r.choice(WORDS).capitalize()} {r.choice(WORDS).capitalize()} {r.choice(['Ltd', 'Inc', 'GmbH'])}",
            "job": lambda: r.choice(JOBS), "text": lambda: " ".join(r.choice(WORDS) for _ in range(r.randrange(5, 18))),
            "date": lambda: f"20{r.randrange(15, 24)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}",
            "ts": lambda: f"20{r.randrange(15, 24)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d} {r.randrange(24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}",
            "year": lambda: r.randrange(1990, 2024), "amt": lambda: f"{r.random() * 1000:.2f}", "price": lambda: f"{r.choice([0.99, 1.49, 9.9, 14.5, 20, 35.25, 99, 120]):.2f}",
            "pct": lambda: f"{r.choice([0, 0, 0.05, 0.1, 0.15, 0.2])}", "dec": lambda: f"{r.uniform(-50, 150):.3f}", "qty": lambda: r.randrange(0, r.choice([12, 60, 500])),
            "flag": lambda: r.choice(self.flags), "gender": lambda: r.choice("MF"), "cur": lambda: r.choice(CURRENCIES), "pos": lambda: r.choice(["P", "C", "1B", "2B", "SS", "OF"]),
            "url": lambda: f"https://example.com/{r.choice(WORDS)}/{r.randrange(9999)}", "code": lambda: "".join(r.choice(string.ascii_uppercase + string.digits) for _ in range(6)),
            "code3": lambda: r.choice(["ATL", "BAL", "BOS", "CHI", "CIN", "CLE", "COL", "DET", "HOU", "KCA", "LAN", "MIA", "MIL", "MIN", "NYA", "OAK", "PHI", "PIT", "SDN", "SEA"]), "status": lambda: r.choice(self.statuses), "bigseq": lambda: 1, "vcode": lambda: f"CMP-{r.randrange(1, 25):03d}",
        }
        if kind in table:
            return table[kind]()
        m = re.match(r"int(\d+)", kind)
        return r.randrange(1, int(m.group(1)) + 1)

    def size_of(self, t):
        base = self.scale[t["size"]]
        return max(2, int(base * self.rng.uniform(0.6, 1.6)))

    # --- building ---------------------------------------------------------------------------------------------------
    def order(self):
        done, out, pending = set(), [], list(self.tables)
        while pending:
            ready = [t for t in pending if all(self.target(c) in done or self.target(c) == t["name"] or self.target(c) not in self.by_name
                                               for c in t["columns"] if self.target(c))]
            if not ready:
                ready = pending[:1]
            for t in ready:
                out.append(t)
                done.add(t["name"])
                pending.remove(t)
        return out

    def make(self):
        rng = self.rng
        self.id_kind = rng.choice(["seq"] * 8 + ["offset", "gaps", "gaps", "sparse", "uuid", "prefixed", "prefixed"])
        self.statuses = rng.choice(STATUSES)
        self.flags = rng.choice([["0", "1"], ["true", "false"], ["Y", "N"]])
        self.synced = rng.random() < 0.12
        self.empty = rng.random() < 0.3
        self.rowguid = rng.choice([["rowguid"], ["row", "uuid"], ["record", "guid"], ["sync", "hash"]]) if rng.random() < 0.08 else None
        for t in self.order():
            self.build(t)

    def build(self, t):
        n = self.size_of(t)
        key = t["key"].split("+")
        names, columns, roles = [], [], {}
        pre = self.prefix(t)
        composite = len(key) > 1 or (key[0] not in ("id", "code", "-", "^") and True)
        if key[0] in ("id", "code"):
            ids = self.keys_of(t, n)
            names.append(("key", self.style.write(pre + self.key_words(t["name"]))))
            columns.append(ids)
            t["key_columns"], t["key_values"] = [names[0][1]], [[v] for v in ids]
        plain, references = [], []
        for c in t["columns"]:
            (references if self.target(c) or c.startswith("self@") else plain).append(c)
        mixed = t["columns"] if self.rng.random() < 0.5 else (references + plain if self.rng.random() < 0.7 else plain + references)
        for c in mixed:
            self.add_column(t, c, n, names, columns, roles, pre)
        if self.synced:
            names.append(("plain", self.style.write([self.style.product, "synced"])))
            columns.append([self.value("ts", i, n) for i in range(n)])
        if self.rowguid:
            names.append(("plain", self.style.write(self.rowguid)))
            columns.append(["%08x-%04x-4%03x-a%03x-%012x" % tuple(self.rng.getrandbits(b) for b in (32, 16, 12, 12, 48)) for _ in range(n)])
        rows = [list(r) for r in zip(*columns)]
        if composite:
            rows = self.make_unique(t, key, names, rows, roles)
        headers, used = [], {}
        for _, h in names:
            used[h] = used.get(h, 0) + 1
            headers.append(h if used[h] == 1 else f"{h}{used[h]}")
        referenced = any(self.target(c) == t["name"] for o in self.tables for c in o["columns"] if o["role"][0] != "B")
        if self.empty and (t["role"][0] == "B" or not referenced) and self.rng.random() < 0.3:
            rows = []
            t["key_values"] = [[None] * len(t.get("key_columns", []))]
        elif self.rng.random() < 0.08 and len(rows) > 60 and t.get("key_columns"):
            # The same key again with another value: what exports of changing records look like.
            keys = {headers.index(k) for k in t["key_columns"]}
            free = [i for i in range(len(headers)) if i not in keys and names[i][0] != "key"]
            for _ in range(max(1, len(rows) // 120) if free else 0):
                row = list(self.rng.choice(rows))
                other = self.rng.choice(rows)
                for i in free:
                    row[i] = other[i]
                rows.append(row)
        elif self.rng.random() < 0.1 and len(rows) > 10:
            rows += [list(self.rng.choice(rows)) for _ in range(max(1, len(rows) // 60))]
        if t["key"] == "-" and rows and self.rng.random() < 0.6:
            rows = bursts(self.rng, rows, [i for i, (kind, _) in enumerate(names) if kind == "plain"])
        self.rows[t["name"]], self.headers[t["name"]] = rows, headers

    def add_column(self, t, c, n, names, columns, roles, pre):
        rng = self.rng
        if c.startswith("self@"):
            words = c[5:].split("_")
            words += [] if "reports" in words or rng.random() < 0.3 else self.key_words(t["name"], rng.random() < 0.7)
            header = self.style.write(pre + words)
            ids = [v[0] for v in t["key_values"]]
            names.append(("fk", header))
            columns.append([None if i == 0 or rng.random() < 0.1 else ids[rng.randrange(0, max(1, min(i, len(ids) // 2 + 1)))] for i in range(n)])
            self.truth_fk.append([t, [header], t, None])
            return
        target = self.target(c)
        if target is None:
            name, kind = c.rstrip("?").split(":")
            kind = kind.rstrip("?")
            words = [self.short(w) for w in name.split("_")]
            header = self.style.write(pre + words)
            roles[name] = len(names)
            names.append(("plain", header))
            if kind == "bigseq":
                columns.append([i // 3 + 1 for i in range(n)])
            elif kind == "code" and name.startswith("order"):
                columns.append([f"SO{43000 + i // 2}" for i in range(n)])
            else:
                nullable = c.endswith("?")
                columns.append([None if nullable and rng.random() < 0.2 else self.value(kind, i, n) for i in range(n)])
            return
        parent = self.by_name.get(target)
        if parent is None or "key_values" not in parent or (parent is t):
            return
        nullable = "?" in c
        values = parent["key_values"]
        chosen = list(values[: n]) if c.startswith("^") else None
        if c.startswith("^"):
            while len(chosen) < n:
                n = len(chosen)
            for col in columns:
                del col[n:]
        else:
            skew = rng.choice([1, 1, 2, 3])
            pool = values if rng.random() < 0.6 else rng.sample(values, max(1, int(len(values) * rng.uniform(0.3, 0.9))))
            chosen = [pool[int(len(pool) * rng.random() ** skew)] for _ in range(n)]
        if c.startswith(">>"):
            headers = []
            for k, part in enumerate(parent["key_parts"]):
                at = roles.get(part)
                if at is not None:
                    columns[at] = [v[k] for v in chosen]
                    headers.append(names[at][1])
                    continue
                header = parent["part_headers"][k] if not pre else self.style.write(pre + parent["part_words"][k])
                roles[part] = len(names)
                names.append(("fk", header))
                columns.append([v[k] for v in chosen])
                headers.append(header)
            self.truth_fk.append([t, headers, parent, None])
            return
        if len(values[0]) != 1:
            return
        header = self.style.write(pre + self.reference_words(c))
        shared = parent["key_columns"][0]
        # An extension, and now and then any reference, carries the very name of the key it holds.
        if not pre and self.style.key != "id" and "@" not in c and "=" not in c and rng.random() < (0.7 if c.startswith("^") else 0.1):
            header = shared
        m = re.search(r"@([a-z_]+)", c)
        roles[target + ("@" + m.group(1) if m else "")] = len(names)
        if not m:
            roles[target] = len(names)
        if m and m.group(1) not in roles:
            roles[m.group(1)] = len(names)
        if any(h == header for _, h in names):
            header = self.style.write(pre + [target.split("_")[0], "ref"] + [str(len(names))])
        names.append(("fk", header))
        data = [v[0] for v in chosen]
        if nullable:
            share = rng.choice([0.05, 0.3, 0.6])
            data = [None if rng.random() < share else v for v in data]
        elif self.rng.random() < 0.04 and n > 50 and isinstance(data[0], int):
            for _ in range(max(1, n // 100)):
                data[rng.randrange(n)] = 10**7 + rng.randrange(1000)
        columns.append(data)
        self.truth_fk.append([t, [header], parent, None])
        if c.startswith("^"):
            t["key_columns"], t["key_values"] = [header], [[v] for v in data]

    def make_unique(self, t, key, names, rows, roles):
        places = []
        for part in key:
            at = roles.get(part)
            if at is None:
                for role, index in roles.items():
                    if part in (role, role.split("@")[0], "_".join(reversed(role.split("@")))):
                        at = index
            if at is None:
                t["key_columns"] = []
                return rows
            places.append(at)
        # Line numbers count up within their header; other combinations are made unique by dropping repeats.
        counter, seen, out = {}, set(), []
        seq = [p for p, part in zip(places, key) if any(c.startswith(part + ":seq") or c.startswith(part + ":int3") for c in t["columns"])]
        for row in rows:
            if seq:
                head = tuple(row[p] for p in places if p not in seq)
                counter[head] = counter.get(head, 0) + 1
                row[seq[0]] = counter[head]
            k = tuple(row[p] for p in places)
            if k in seen or None in k:
                continue
            seen.add(k)
            out.append(row)
        t["key_columns"] = [names[p][1] for p in places]
        t["key_parts"], t["key_values"] = key, [[row[p] for p in places] for row in out]
        t["part_words"] = [[w for w in part.split("_")] for part in key]
        for k, p in enumerate(places):
            for _, header in [names[p]]:
                t.setdefault("part_headers", []).append(header)
        return out

    # --- truth ------------------------------------------------------------------------------------------------------
    def alternates(self, t):
        """Proper subsets of a composite key that happen to be unique are as good."""
        rows, headers, key = self.rows[t["name"]], self.headers[t["name"]], t.get("key_columns", [])
        if len(key) < 2 or not rows:
            return []
        out = []
        distinct = set(map(tuple, rows))
        for mask in range(1, 2 ** len(key) - 1):
            subset = [k for i, k in enumerate(key) if mask >> i & 1]
            at = [headers.index(k) for k in subset]
            if len({tuple(r[a] for a in at) for r in distinct}) == len(distinct):
                out.append(subset)
        return out

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        final = {t["name"]: self.table_name(t) for t in self.tables}
        if self.style.opaque_tables:  # names of a legacy system: four or five letters that mean nothing
            taken = set()
            for name in final:
                while True:
                    word = self.rng.choice(string.ascii_uppercase) + "".join(self.rng.choice("ABDEKLMNPRSTVZ0123") for _ in range(self.rng.choice([3, 3, 4])))
                    if word not in taken:
                        break
                taken.add(word)
                final[name] = word
        if len(set(final.values())) < len(final):
            return False
        role_words = {"F": "fact", "D": "dimension", "B": "bridge", "O": "other"}
        truth = dict(name=os.path.basename(folder), tables=[], foreign_keys=[], optional_foreign_keys=[], dropped=[])
        rename = self.headerless_names() if self.style.headerless else None
        for t in self.tables:
            headers = rename[t["name"]] if rename else self.headers[t["name"]]
            with open(os.path.join(folder, final[t["name"]] + ".csv"), "w", newline="") as f:
                w = csv.writer(f)
                w.writerow(headers)
                w.writerows([["" if v is None else v for v in row] for row in self.rows[t["name"]]])
            back = dict(zip(self.headers[t["name"]], headers))
            truth["tables"].append(dict(name=final[t["name"]], rows=len(self.rows[t["name"]]), primary_key=[back[k] for k in t.get("key_columns", [])],
                                        role=role_words[t["role"][0]], role_also=[role_words[r] for r in t["role"][1:]],
                                        alternate_keys=[[back[k] for k in a] for a in self.alternates(t)]))
        for t, columns, parent, _ in self.truth_fk:
            if len(parent.get("key_columns", [])) != len(columns) or not self.rows[parent["name"]]:
                continue
            at = [self.headers[t["name"]].index(c) for c in columns]
            vacuous = not any(row[at[0]] is not None for row in self.rows[t["name"]])
            names = {n: dict(zip(self.headers[n], rename[n] if rename else self.headers[n])) for n in (t["name"], parent["name"])}
            truth["foreign_keys"].append({"from": final[t["name"]], "columns": [names[t["name"]][c] for c in columns], "to": final[parent["name"]],
                                          "to_columns": [names[parent["name"]][c] for c in parent["key_columns"]], "vacuous": vacuous})
        self.add_implied(truth)
        with open(os.path.join(folder, "truth.json"), "w") as f:
            json.dump(truth, f, indent=1)
        return True

    @staticmethod
    def add_implied(truth):
        """What follows from declared references (a part of a composite one, or an extension's key, leads on) is true, not asked for."""
        known = {(f["from"], tuple(sorted(f["columns"])), f["to"]) for f in truth["foreign_keys"] + truth["optional_foreign_keys"]}
        reached = list(truth["foreign_keys"])
        for f in reached:  # grows
            for g in truth["foreign_keys"]:
                if g["from"] != f["to"] or g["to"] == f["from"] or not set(g["columns"]) <= set(f["to_columns"]):
                    continue
                columns = [f["columns"][f["to_columns"].index(c)] for c in g["columns"]]
                if (f["from"], tuple(sorted(columns)), g["to"]) not in known:
                    known.add((f["from"], tuple(sorted(columns)), g["to"]))
                    implied = {"from": f["from"], "columns": columns, "to": g["to"], "to_columns": g["to_columns"]}
                    truth["optional_foreign_keys"].append(implied)
                    reached.append(implied)

    def headerless_names(self):
        return {n: [f"column{i + 1}" for i in range(len(h))] for n, h in self.headers.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-domain", type=int, default=12)
    parser.add_argument("--headerless", type=float, default=0.06, help="share of sets without column names")
    args = parser.parse_args()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "domains.txt")
    for domain in sorted(parse(path)):
        for k in range(args.per_domain):
            rng = random.Random(f"{args.seed}/{domain}/{k}")
            maker = Maker(rng, domain, parse(path)[domain])
            maker.style.headerless = rng.random() < args.headerless
            maker.make()
            maker.write(os.path.join(args.out, f"{domain}_{args.seed}_{k}"))


if __name__ == "__main__":
    main()
