#!/usr/bin/env python3
"""Fills the shapes of well-known databases (shapes/*/*.txt) with generated rows: CSV files + truth.json for each.

    shapes.py OUT FILE|DIR… [--seed N] [--variants a,b,…]

Variants: full (as written), small (a tenth of the rows), tiny (a handful), bare (files without a header line), dirty (orphans, doubled
rows, keys that repeat), export (a handful of rows of each table as a loading tool writes them: the key first, then the tool's columns, the
rest by name; some references to rows that were not exported). Deterministic for a seed. Standard library only.
"""
import argparse
import csv
import datetime
import json
import os
import random
import re
import string

import generate

KINDS = [  # a column's kind, guessed from its name when none is given
    (r"first.?name$", "first"), (r"last.?name$", "last"), (r"e?mail(address)?$", "email"), (r"phone", "phone"), (r"gender$", "gender"),
    (r"(_at|timestamp)$", "ts"), (r"last_update$", "ts"), (r"date$|^date", "date"), (r"(description|comments?|text|body)$", "text"),
    (r"title$", "title"), (r"(name|label)$", "word"), (r"city$", "city"), (r"district$", "word"), (r"country$", "country"),
    (r"postal|zip", "zip"), (r"price$", "price"), (r"(amount|total|value)$", "amt"), (r"url$", "url"), (r"(salary|qty|quantity)$", "qty"),
    (r"address", "addr"), (r"status$", "status"),
]
VARIANTS = {"full": 1.0, "small": 0.1, "tiny": 0.01, "bare": 0.3, "dirty": 0.5, "export": 0.01}
LOADERS = ["_fivetran_synced", "_fivetran_synced", "_airbyte_extracted_at", "_sdc_batched_at", "_dlt_load_id"]
EXPORTED_IDS = {"seq", "gap", "sparse", "codekey", "uuid"}


class Values:
    """What generate.Maker.value needs, and the kinds that only shapes use."""

    def __init__(self, rng):
        self.rng = rng
        self.statuses = rng.choice(generate.STATUSES)
        self.flags = rng.choice([["0", "1"], ["true", "false"], ["Y", "N"]])

    plain = generate.Maker.value

    def keys(self, kind, n):
        r = self.rng
        if m := re.match(r"off(\d+)$", kind):
            return [int(m.group(1)) + i for i in range(n)]
        if m := re.match(r"pad:([a-zA-Z]*)(\d+)$", kind):
            width = int(m.group(2)) if int(m.group(2)) > 1 else 3
            width = int(m.group(2)[-1]) if len(m.group(2)) > 1 else width
            width = max(width, len(str(n)))
            return [m.group(1) + str(i + 1).zfill(width) for i in range(n)]
        if m := re.match(r"sf(\w{3})$", kind):
            return [m.group(1) + "".join(r.choice(string.ascii_letters + string.digits) for _ in range(12)) + "AAA" for _ in range(n)]
        if kind == "gap":
            out, v = [], 0
            for _ in range(n):
                v += r.choice([1, 1, 1, 1, 2, 3, 9])
                out.append(v)
            return out
        if kind in ("code", "code2", "codekey"):
            width = 2 if kind == "code2" or n < 5 else 3 if kind == "code" else r.choice([5, 6, 8])
            width = max(width, 1 + len(str(n)) // 2)
            return self.unique(n, lambda: "".join(r.choice(string.ascii_uppercase) for _ in range(width)))
        table = {"seq": lambda: list(range(1, n + 1)), "seq0": lambda: list(range(n)), "tens": lambda: [10 * (i + 1) for i in range(n)],
                 "sparse": lambda: r.sample(range(10**5, 10**9), n), "zipkey": lambda: r.sample(range(10000, 99999), n),
                 "uuid": lambda: [self.uuid() for _ in range(n)], "md5": lambda: ["%032x" % r.getrandbits(128) for _ in range(n)], "letter": lambda: [chr(65 + i) for i in range(n)],
                 "awid": lambda: ["AAAAAAAA" + "".join(chr(65 + (i >> 4 * k & 15)) for k in range(6)) + "AA" for i in range(n)],
                 "history": lambda: [f"AAAA{i // 2 + 1:06d}BAAA" for i in range(n)],
                 "sonum": lambda: [f"SO{43659 + i // 3}" for i in range(n)],
                 "dateseq": lambda: [str(datetime.date(2019, 1, 1) + datetime.timedelta(days=i)) for i in range(n)],
                 "datekey": lambda: [int((datetime.date(2019, 1, 1) + datetime.timedelta(days=i)).strftime("%Y%m%d")) for i in range(n)]}
        return table[kind]() if kind in table else None

    def uuid(self):
        r = self.rng
        return "%08x-%04x-4%03x-a%03x-%012x" % (r.getrandbits(32), r.getrandbits(16), r.getrandbits(12), r.getrandbits(12), r.getrandbits(48))

    @staticmethod
    def unique(n, make):
        seen, out, tries = set(), [], 0
        while len(out) < n:
            v, tries = make(), tries + 1
            v = f"{v} {tries}" if v in seen and tries > 3 * n else v
            if v not in seen:
                seen.add(v)
                out.append(v)
        return out

    def column(self, kind, n, row_dates):
        unique, nullable = kind.endswith("!"), kind.endswith("?")
        kind = kind.rstrip("!?")
        made = self.keys(kind, n) if kind not in ("code", "code2") else None
        if made is None:
            one = {"empty": lambda i: None, "const": lambda i: "Unknown", "uuidv": lambda i: self.uuid(),
                   "sparsev": lambda i: self.rng.randrange(10**4, 10**6) if self.rng.random() < 0.7 else 10**6 + self.rng.randrange(60),
                   "linetens": lambda i: 10, "line": lambda i: 1, "code2": lambda i: self.plain("state", i, n),
                   "end": lambda i: self.end(row_dates, i)}.get(kind, lambda i: self.plain(kind, i, n))
            made = self.unique(n, lambda: one(0)) if unique else [one(i) for i in range(n)]
        return [None if self.rng.random() < 0.3 else v for v in made] if nullable else made

    def end(self, starts, i):
        """An end of validity: open, or some time after the start."""
        if starts is None or starts[i] is None or self.rng.random() < 0.4:
            return "9999-01-01"
        day = datetime.date.fromisoformat(str(starts[i])[:10]) + datetime.timedelta(days=self.rng.randrange(30, 900))
        return str(day)


def parse_column(text):
    text = text.replace("·", " ")
    m = re.match(r"\(([^)]*)\)(>>|<<)([\w ]+)$", text)
    if m:
        return dict(kind="composite", columns=m.group(1).split(","), to=m.group(3), correlated=m.group(2) == "<<")
    m = re.match(r"([\w. ]+?)([?0~]*)([>^])([\w ]+)(?:\.([\w ]+))?$", text)
    if m:
        return dict(kind="reference", name=m.group(1), nullable="?" in m.group(2), never="0" in m.group(2) and m.group(2) != "",
                    optional="~" in m.group(2), once=m.group(3) == "^", to=m.group(4), to_column=m.group(5))
    name, _, kind = text.partition(":")
    if not kind:
        kind = next((k for pattern, k in KINDS if re.search(pattern, name, re.I)), "word")
        given = False
    else:
        given = True
    return dict(kind="plain", name=name, value=kind, given=given)


def parse(path):
    tables = []
    for line in open(path):
        if not line.strip() or line.startswith("#"):
            continue
        head, _, rest = line.partition(" : ")
        name, role, rows, key = head.split()
        name, key = name.replace("·", " "), key.replace("·", " ")
        t = dict(name=name, roles=role.split("/"), rows=int(rows), key=[] if key == "-" else key.split("+"), columns=[], alternates=[])
        for text in rest.split():
            if text.startswith("alt="):
                t["alternates"].append(text[4:].split("+"))
            else:
                t["columns"].append(parse_column(text))
        tables.append(t)
    return tables


class Filler:
    def __init__(self, name, tables, seed, variant):
        self.rng = random.Random(f"{seed}/{name}/{variant}")
        self.name, self.tables, self.variant = name, tables, variant
        self.by_name = {t["name"]: t for t in tables}
        self.values = Values(self.rng)
        self.data, self.fks = {}, []
        if variant == "export":
            self.export()

    def export(self):
        """As a loading tool writes them."""
        r = self.rng
        loader, ids, ordered = r.choice(LOADERS), r.choice([None, None, "sparse", "uuid", "md5"]), r.random() < 0.7
        for t in self.tables:
            plain = [c for c in t["columns"] if c["kind"] == "plain"]
            for c in plain:
                if c["name"] in t["key"] and ids and (c["value"] in EXPORTED_IDS or c["value"].startswith("off") or not c["given"]) and len(t["key"]) == 1:
                    c.update(value=ids, given=True)
                elif c["name"] not in t["key"] and not c["name"].startswith("_") and r.random() < 0.15:
                    c.update(value="empty", given=True)
            for c in t["columns"]:
                c["outside"] = c["kind"] == "reference" and c["name"] not in t["key"] and not c["once"] and r.random() < 0.2
            if not any(c["name"].startswith("_") for c in plain):
                t["columns"].append(dict(kind="plain", name=loader, value="ts", given=True))
            for c in t["columns"]:
                if c["kind"] == "plain" and c["name"] == "_fivetran_synced":
                    c["name"] = loader
            if ordered:
                place = lambda c: (2, "") if c["kind"] == "composite" else (0, t["key"].index(c["name"])) if c["name"] in t["key"] else (1, c["name"])
                t["columns"].sort(key=place)

    def rows_of(self, t):
        rows = t["rows"]
        if self.variant == "export":
            return min(rows, self.rng.choice([1, 2, 2, 3, 3, 4, 5, 5, 6, 8, 10]))
        if rows <= 2:
            return rows
        referenced = any(c["kind"] != "plain" and c["to"] == t["name"] for o in self.tables for c in o["columns"])
        if not referenced and self.variant in ("small", "tiny") and self.rng.random() < 0.05:
            return 0
        return max(min(rows, 3 if self.variant == "tiny" else 4), int(rows * VARIANTS[self.variant]))

    def own_key(self, t, c):
        if c["kind"] != "plain" or c["name"] not in t["key"]:
            return None
        return c["value"] if c["given"] or len(t["key"]) > 1 else "seq"

    def pregenerate(self):
        """Keys that reference nothing are known before anything else, so that cycles of references can be filled."""
        for t in self.tables:
            n, cells = self.rows_of(t), {}
            for c in t["columns"]:
                kind = self.own_key(t, c)
                if kind is None and c["kind"] == "plain" and [c["name"]] in t["alternates"] and c["given"]:
                    kind = c["value"]
                if kind is not None and (len(t["key"]) == 1 or c["given"] and [c["name"]] in t["alternates"]):
                    made = self.values.keys(kind.rstrip("!?"), n)
                    cells[c["name"]] = made if made is not None else self.values.column(kind, n, None)
                    if kind.endswith("?"):
                        cells[c["name"]] = [None if self.rng.random() < 0.05 else v for v in cells[c["name"]]]
            t["n"] = n
            self.data[t["name"]] = cells

    def order(self):
        """Parents first where there is no cycle; within a cycle, those whose key waits for nothing."""
        pending, done, out = list(self.tables), set(), []
        while pending:
            ready = [t for t in pending if all(c["to"] in done or c["to"] == t["name"] for c in t["columns"] if c["kind"] != "plain")]
            if not ready:
                hard = [t for t in pending if all(c["to"] in done or c["to"] == t["name"] or (c["kind"] == "reference" and self.known(c))
                                                  for c in t["columns"] if c["kind"] != "plain")]
                ready = hard[:1] or pending[:1]
            for t in ready:
                pending.remove(t)
                done.add(t["name"])
                out.append(t)
        return out

    def target_column(self, c):
        return c["to_column"] or (self.by_name[c["to"]]["key"] or [None])[0]

    def known(self, c):
        return self.target_column(c) in self.data[c["to"]]

    def reference(self, t, c, n):
        r = self.rng
        pool = [v for v in self.data[c["to"]].get(self.target_column(c), []) if v is not None]
        if c["never"] or not pool:
            return [None] * n
        if c.get("outside"):
            return self.outside(pool, n)
        if c["once"]:
            pool = pool[:] if r.random() < 0.5 else r.sample(pool, len(pool))
            out = pool[:n]
            return out + [None] * (n - len(out))
        if len(pool) > 20 and r.random() < 0.4:
            pool = r.sample(pool, max(3, int(len(pool) * r.uniform(0.3, 0.9))))
        skew = r.choice([1, 1, 2])
        out = [pool[min(len(pool) - 1, int(len(pool) * r.random() ** skew))] for _ in range(n)]
        if c["nullable"]:
            share = r.choice([0.04, 0.3, 0.6])
            out = [None if r.random() < share else v for v in out]
        if self.variant == "dirty" and n > 100 and not c["nullable"] and c["name"] not in t["key"] and r.random() < 0.3:
            for _ in range(max(1, n // 200)):
                at = r.randrange(n)
                out[at] = (10**7 + r.randrange(1000)) if isinstance(out[at], int) else "??" + str(r.randrange(99))
        return out

    def outside(self, pool, n):
        """Like the keys, but rows that were not exported."""
        if isinstance(pool[0], int):
            most = max(pool)
            return [max(1, int(most * self.rng.uniform(0.2, 3)) + self.rng.randrange(5)) for _ in range(n)]
        return ["".join(self.rng.choice(string.hexdigits[:16]) if ch.isalnum() else ch for ch in str(self.rng.choice(pool))) for _ in range(n)]

    def composite(self, t, c, cells, n, settled):
        parent = self.data[c["to"]]
        # The columns of the parent in the order of its declared key; a shape names them in the same order.
        keys = self.pair(t, c)
        m = len(parent[keys[0]])
        shared = [i for i, own in enumerate(c["columns"]) if own in settled]  # given by another reference already
        by_shared = {}
        for i in range(m):
            if all(parent[k][i] is not None for k in keys):
                by_shared.setdefault(tuple(parent[keys[s]][i] for s in shared), []).append(i)
        for i in range(n):
            usable = by_shared.get(tuple(cells[c["columns"][s]][i] for s in shared))
            at = self.rng.choice(usable) if usable else None
            for own, key in zip(c["columns"], keys):
                if own not in settled:
                    cells[own][i] = parent[key][at] if at is not None else None
        settled.update(c["columns"])

    def pair(self, t, c):
        """Which key column of the parent each column stands for: same name first, then same reference, then order."""
        if c["correlated"]:
            return c["columns"]
        parent, left = self.by_name[c["to"]], list(self.by_name[c["to"]]["key"])
        found = {}
        for own in c["columns"]:
            tail = re.sub(r"^[a-z]{1,2}_", "", own)
            hit = next((k for k in left if k == own or re.sub(r"^[a-z]{1,2}_", "", k) == tail), None)
            if hit is None and parent["name"] == own and "Name" in left:
                hit = "Name"
            if hit:
                left.remove(hit)
                found[own] = hit
        return [found.get(own) or left.pop(0) for own in c["columns"]]

    def fill(self, t):
        n, cells = t["n"], self.data[t["name"]]
        starts = None
        for c in t["columns"]:
            if c["kind"] == "composite" or c["name"] in cells:
                continue
            if c["kind"] == "reference":
                cells[c["name"]] = self.reference(t, c, n)
            else:
                cells[c["name"]] = self.values.column(c["value"] if c["given"] or [c["name"]] != t["key"] else "seq", n, starts)
                if c["value"].rstrip("?!") in ("date", "ts"):
                    starts = cells[c["name"]]
        settled = set()
        for c in t["columns"]:
            if c["kind"] == "composite":
                self.composite(t, c, cells, n, settled)
        rows = self.identify(t, [list(row) for row in zip(*(cells[x["name"]] for x in self.named(t)))] if n else [])
        if not t["key"]:
            plain = [i for i, c in enumerate(self.named(t)) if c["kind"] == "plain" and c["value"].rstrip("?!") not in ("date", "ts")]
            rows = generate.bursts(self.rng, rows, plain)
        if self.variant == "dirty" and len(rows) > 60 and self.rng.random() < 0.3:
            rows += [list(self.rng.choice(rows)) for _ in range(max(1, len(rows) // 100))]
        names = [x["name"] for x in self.named(t)]
        self.data[t["name"]] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        t["data"], t["header"] = rows, names

    @staticmethod
    def named(t):
        return [c for c in t["columns"] if c["kind"] != "composite"]

    def identify(self, t, rows):
        """Lines count up within their header; rows whose key repeats, or is not there, are left out."""
        names = [c["name"] for c in self.named(t)]
        step = {"line": 1, "linetens": 10}
        counters = {i: step[c["value"]] for i, c in enumerate(self.named(t)) if c["kind"] == "plain" and c["value"] in step}
        alternates = [a for a in t["alternates"] if len(a) > 1]
        key = [names.index(k) for k in t["key"]] or None
        count, seen, out = {}, set(), []
        scope = [names.index(k) for k in (alternates[0] if alternates and len(t["key"]) == 1 else t["key"])]
        scope = [i for i in scope if i not in counters]
        for row in rows:
            head = tuple(row[i] for i in scope)
            if counters and scope:
                count[head] = count.get(head, 0) + 1
                for i, by in counters.items():
                    row[i] = count[head] * by
            k = tuple(row[i] for i in key) if key else None
            if key and (k in seen or None in k):
                continue
            seen.add(k)
            out.append(row)
        return out

    def truth(self):
        roles = {"F": "fact", "D": "dimension", "B": "bridge", "O": "other"}
        bare = {t["name"]: {h: f"column{i + 1}" if self.variant == "bare" else h for i, h in enumerate(t["header"])} for t in self.tables}
        out = dict(name=self.name, tables=[], foreign_keys=[], optional_foreign_keys=[], dropped=[])
        for t in self.tables:
            b = bare[t["name"]]
            out["tables"].append(dict(name=t["name"], rows=len(t["data"]), primary_key=[b[k] for k in t["key"]], role=roles[t["roles"][0]],
                                      role_also=[roles[r] for r in t["roles"][1:]], alternate_keys=self.alternates(t, b)))
            for c in t["columns"]:
                if c["kind"] == "plain" or c.get("correlated"):
                    continue
                own = c["columns"] if c["kind"] == "composite" else [c["name"]]
                to = self.pair(t, c) if c["kind"] == "composite" else [self.target_column(c)]
                at = [t["header"].index(x) for x in own]
                filled = any(all(row[i] is not None for i in at) for row in t["data"]) and self.by_name[c["to"]]["data"]
                fk = {"from": t["name"], "columns": [b[x] for x in own], "to": c["to"], "to_columns": [bare[c["to"]][x] for x in to],
                      "vacuous": not filled}
                out["optional_foreign_keys" if c.get("optional") or c.get("outside") else "foreign_keys"].append(fk)
        generate.Maker.add_implied(out)
        return out

    def alternates(self, t, bare):
        """The declared ones, and proper subsets of the key that happen to be unique."""
        out = [[bare[k] for k in a] for a in t["alternates"]]
        rows = {tuple(r) for r in t["data"]}
        for mask in range(1, 2 ** len(t["key"]) - 1):
            subset = [k for i, k in enumerate(t["key"]) if mask >> i & 1]
            at = [t["header"].index(k) for k in subset]
            if rows and len({tuple(r[a] for a in at) for r in rows}) == len(rows):
                out.append([bare[k] for k in subset])
        return out

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.pregenerate()
        for t in self.order():
            self.fill(t)
        for t in self.tables:
            with open(os.path.join(folder, t["name"] + ".csv"), "w", newline="") as f:
                w = csv.writer(f)
                w.writerow([f"column{i + 1}" for i in range(len(t["header"]))] if self.variant == "bare" else t["header"])
                w.writerows([["" if v is None else v for v in row] for row in t["data"]])
        with open(os.path.join(folder, "truth.json"), "w") as f:
            json.dump(self.truth(), f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("shapes", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variants", default="full,small,tiny,dirty")
    args = parser.parse_args()
    files = [os.path.join(p, f) for p in args.shapes if os.path.isdir(p) for f in sorted(os.listdir(p)) if f.endswith(".txt")]
    for path in files + [p for p in args.shapes if not os.path.isdir(p)]:
        name = os.path.basename(path)[:-4]
        tables, variants = parse(path), args.variants.split(",")
        if "export" in variants and max(t["rows"] for t in tables) <= 60:  # a handful already: smaller ones would be the same again
            variants = [v for v in variants if v in ("full", "export")]
        for variant in variants:
            Filler(name, parse(path), args.seed, variant).write(os.path.join(args.out, f"{name}_{args.seed}_{variant}"))


if __name__ == "__main__":
    main()
