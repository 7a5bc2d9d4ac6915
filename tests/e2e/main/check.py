"""What a user would check after a run, by independent means: files, event stream, and the tables themselves over REST."""
import argparse
import base64
import csv
import decimal
import json
import pathlib
import re
import ssl
import sys
import urllib.parse
import urllib.request

EXPECTED = ["report.html", "sttm.json", "sttm.md", "sttm.xlsx", "profile.json", "design.json", "scorecard.json"]


def fail(text):
    sys.exit("check: " + text)


def load(folder, name):
    return json.loads((pathlib.Path(folder) / name).read_text())


def artifacts(args):
    folder = pathlib.Path(args.output)
    for name in EXPECTED:
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            fail(f"{name} is missing or empty")
    if not list((folder / "project" / "notebooks").glob("*.py")):
        fail("no notebooks")
    page = (folder / "report.html").read_text()
    if "<svg" not in page or "src=\"http" in page or "href=\"http" in page:
        fail("report.html is not self-contained, or has no picture")
    card = load(folder, "scorecard.json")
    if not card["succeeded"] or card["score"] < 80:
        fail(f"score {card['score']}, succeeded {card['succeeded']}")
    bad = [c for c in load(folder, "validation.json")["checks"] if c["status"] != "CHECK_STATUS_PASS"]
    hard = [c for c in bad if c["status"] != "CHECK_STATUS_WARN"]
    if hard:
        fail(f"{len(hard)} checks do not pass, first: {hard[0]}")
    print(f"artifacts: whole; score {card['score']:.0f}; {len(card['findings'])} findings; {len(bad)} warnings")


def events(args):
    text = pathlib.Path(args.events).read_text()
    decoder, at, numbers, kinds = json.JSONDecoder(), 0, [], set()
    while (at := len(text) - len(text[at:].lstrip())) < len(text):
        value, at = decoder.raw_decode(text, at)
        if "seq" in value:
            numbers.append(value["seq"])
            kinds.add(value["kind"])
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        fail(f"events are not 1, 2, 3 …: {numbers[:5]} … {numbers[-5:]}, {len(numbers)} of them")
    print(f"events: {len(numbers)}, dense; kinds {sorted(kinds)}")


class Workspace:
    def __init__(self, state):
        folder = pathlib.Path(state) / "workspace"
        self.host = (folder / "address").read_text().strip()
        self.context = ssl.create_default_context(cafile=str(pathlib.Path(state) / "certs" / "ca.crt"))
        secret = (folder / "client-secret").read_text().strip()
        login = base64.b64encode(f"nuvyn:{secret}".encode()).decode()
        body = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
        self.token = self.call("/oidc/v1/token", body, f"Basic {login}")["access_token"]
        self.warehouse = self.call("/api/2.0/sql/warehouses")["warehouses"][0]["id"]

    def call(self, path, body=None, auth=None):
        request = urllib.request.Request(self.host + path, data=body)
        request.add_header("Authorization", auth or f"Bearer {self.token}")
        with urllib.request.urlopen(request, context=self.context, timeout=120) as reply:
            return json.load(reply)

    def sql(self, statement):
        body = json.dumps({"warehouse_id": self.warehouse, "statement": statement, "wait_timeout": "50s"}).encode()
        reply = self.call("/api/2.0/sql/statements", body)
        while reply["status"]["state"] in ("PENDING", "RUNNING"):
            reply = self.call("/api/2.0/sql/statements/" + reply["statement_id"])
        if reply["status"]["state"] != "SUCCEEDED":
            fail(f"{statement}: {reply['status']}")
        names = [c["name"] for c in reply["manifest"]["schema"]["columns"]]
        return [dict(zip(names, row)) for row in reply.get("result", {}).get("data_array") or []]


def target_tables(folder):
    validation = load(folder, "validation.json")
    return sorted(t["table"] for t in validation["tables"])


def measure(workspace, tables):
    found = {}
    for table in tables:
        rows = workspace.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"]
        content = workspace.sql(f"SELECT sum(CAST(hash(*) AS DECIMAL(38,0))) AS h FROM (SELECT * FROM {table})")[0]["h"]
        found[table] = [rows, content]
    return found


def tables(args):
    found = measure(Workspace(args.state), target_tables(args.output))
    if not found or any(int(rows) == 0 for rows, _ in found.values()):
        fail(f"empty tables: {found}")
    pathlib.Path(args.save).write_text(json.dumps(found))
    print(f"tables: {len(found)}, {sum(int(r) for r, _ in found.values())} rows")


def unchanged(args):
    before = json.loads(pathlib.Path(args.save).read_text())
    now = measure(Workspace(args.state), sorted(before))
    changed = [table for table in before if before[table] != now[table]]
    if changed:
        fail(f"the second run changed {changed}: {[(before[t], now[t]) for t in changed]}")
    print(f"unchanged: {len(before)} tables, to the row")


def job(args):
    """Job and notebooks as they stand in the workspace; on the second call they must be as on the first."""
    workspace = Workspace(args.state)
    jobs = workspace.call("/api/2.2/jobs/list?expand_tasks=true")["jobs"]
    folder = urllib.parse.quote("/Users/nuvyn/nuvyn/ecommerce/notebooks")
    notebooks = workspace.call("/api/2.0/workspace/list?path=" + folder)["objects"]
    found = {"jobs": [[j["job_id"], j["settings"]] for j in jobs],
             "notebooks": [[n["path"], n.get("modified_at")] for n in notebooks]}
    saved = pathlib.Path(args.save)
    if not saved.exists():
        saved.write_text(json.dumps(found))
    elif json.loads(saved.read_text()) != found:
        fail("job or notebooks were touched")
    print(f"job: {len(found['jobs'])}, with {len(found['notebooks'])} notebooks")


def raw(day, name, delimiter=","):
    path = pathlib.Path(__file__).resolve().parents[3] / "data" / day / name
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def last_merge(workspace, table):
    """Rows inserted, updated and deleted by the last MERGE, by Delta's own account."""
    last = workspace.sql(f"DESCRIBE HISTORY {table} LIMIT 1")[0]
    if last["operation"] != "MERGE":
        fail(f"{table}: the last operation was {last['operation']}")
    return [int(re.search(rf'numTargetRows{what}\W+(\d+)', last["operationMetrics"]).group(1))
            for what in ("Inserted", "Updated", "Deleted")]


def day2(args):
    """Against the files themselves, without our own code: who is there, what came, what stayed as it was."""
    workspace = Workspace(args.state)
    days = ("ecommerce", "ecommerce-day2")
    customers = {r["customer_id"] for day in days for r in raw(day, "customers.csv")}
    known = {r["payment_id"] for r in raw("ecommerce", "payments.csv", ";")}
    amounts = {r["payment_id"]: r["amount"] for day in days for r in raw(day, "payments.csv", ";")}
    total = sum(decimal.Decimal(a.replace(".", "").replace(",", ".")) for a in amounts.values())
    expected = {
        "SELECT count(DISTINCT customer_id) AS n FROM main.ecommerce.dim_customer WHERE customer_key >= 0": len(customers),
        "SELECT count(*) AS n FROM main.ecommerce.bronze_customers WHERE _rescued_data LIKE '%preferred_language%'":
            len(raw("ecommerce-day2", "customers.csv")),
        "SELECT CAST(sum(amount) AS STRING) AS n FROM main.ecommerce.fact_payment": total,
        "SELECT count(*) AS n FROM main.ecommerce.nuvyn_file_ledger": 24,
    }
    for statement, value in expected.items():
        found = workspace.sql(statement)[0]["n"]
        if str(found) != str(value):
            fail(f"{statement}: {found}, expected {value}")
    before = {r["order_id"]: r["status"] for year in (2024, 2025) for r in raw("ecommerce", f"orders_{year}.csv")}
    after = {r["order_id"]: r["status"] for r in raw("ecommerce-day2", "orders_2026.csv")}
    moved = {order for order, status in after.items() if before.get(order, status) != status}
    followed = {r["payment_id"] for r in raw("ecommerce", "payments.csv", ";") if r["order_id"] in moved}
    merged = last_merge(workspace, "main.ecommerce.fact_payment")
    if merged != [len(amounts) - len(known), len(followed), 0]:
        fail(f"fact_payment changed by {merged}, expected {len(amounts) - len(known)} new rows and {len(followed)} whose order has another "
             "status now")
    saved = json.loads(pathlib.Path(args.save).read_text())
    idle = [t for t in saved if t.rsplit(".", 1)[-1].strip("`") in ("fact_inventory_snapshot", "dim_employee")]
    if len(idle) != 2 or any(measure(workspace, [t])[t] != saved[t] for t in idle):
        fail(f"tables without new files changed: {idle}")
    bad = [c for c in load(args.output, "validation.json")["checks"] if c["status"] == "CHECK_STATUS_FAIL"]
    skipped = [c for c in load(args.output, "validation.json")["checks"] if c.get("message", "").startswith("not compared")]
    if bad or skipped:
        fail(f"checks: {(bad + skipped)[0]}")
    page = (pathlib.Path(args.output) / "report.html").read_text()
    if "preferred_language" not in page or "What this run changed" not in page:
        fail("the report does not say what changed")
    print(f"day 2: {len(customers)} customers, {len(amounts)} payments; the last MERGE {merged}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["artifacts", "events", "tables", "unchanged", "job", "day2"])
    for name in ("--output", "--events", "--save", "--state"):
        parser.add_argument(name)
    args = parser.parse_args()
    globals()[args.what](args)


if __name__ == "__main__":
    main()
