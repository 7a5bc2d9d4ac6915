"""What the tables of history_mapping must hold, replayed by DuckDB from the raw files alone.

Nothing here is shared with the generated code: files are cut into fields, typed, refused, deduplicated and dated anew.
"""

import os

from duck import Duck

READ = {
    "csv": """SELECT n, len(f) <> len(h) AS corrupt, map_from_entries(list_zip(h[:len(f)], f[:len(h)])) AS fields FROM (
        SELECT n - 1 AS n, string_split(line, ',') AS f, string_split(first(line) OVER (ORDER BY n), ',') AS h FROM (
            SELECT row_number() OVER () AS n, line FROM read_csv('{path}', header = false, auto_detect = false,
                delim = '\x01', quote = '', escape = '', columns = {{'line': 'VARCHAR'}}))) WHERE n > 0""",
    "jsonl": """SELECT row_number() OVER () AS n, false AS corrupt,
        map_from_entries(list_transform(json_keys(json), lambda k: (k, json->>k))) AS fields FROM read_json_objects('{path}')""",
    "parquet": """SELECT row_number() OVER () AS n, false AS corrupt,
        MAP {{'store_id': store_id, 'city': city, 'op': op}} AS fields FROM read_parquet('{path}')""",
}
FORMATS = {"customers": "csv", "products": "jsonl", "stores": "parquet", "sales": "csv", "payments": "csv", "events": "csv"}
NEWEST = "ORDER BY batch DESC, path DESC, n DESC"


def text(name):
    return f"nullif(trim(map_extract(fields, '{name}')[1]), '')"


def typed(name, type):
    return f"TRY_CAST({text(name)} AS {type})"


def unread(name, type):
    return f"({text(name)} IS NOT NULL AND {typed(name, type)} IS NULL)"


class Oracle:
    """The raw files of each batch, in the order in which the batches were loaded."""

    def __init__(self):
        self.duck, self.batches = Duck(), []
        self.duck.rows("""CREATE TABLE raw (source VARCHAR, batch INT, path VARCHAR, n BIGINT, corrupt BOOLEAN,
            fields MAP(VARCHAR, VARCHAR))""")

    def arrives(self, batch, files):
        """A batch brings the files: [(source, path, path below the volume)]."""
        self.batches.append(batch)
        for source, path, below in files:
            self.duck.rows(f"INSERT INTO raw SELECT '{source}', {len(self.batches)}, '{below}', n, corrupt, fields FROM ("
                           + READ[FORMATS[source]].format(path=path) + ")")
        for statement in self.statements():
            self.duck.rows(statement)

    def brought(self, batch):
        """Whether the batch brought files."""
        return self.duck.rows(f"SELECT count(*) FROM raw WHERE batch = {self.batches.index(batch) + 1}") != [("0",)]

    def label(self, batch):
        return f"(CASE {batch} " + " ".join(f"WHEN {n} THEN '{b}'" for n, b in enumerate(self.batches, 1)) + " END)"

    def statements(self):
        raw = "(SELECT * FROM raw WHERE source = '{}')".format
        yield f"""CREATE OR REPLACE TABLE customers AS SELECT {typed('customer_id', 'BIGINT')} AS customer_id,
            {typed('changed_on', 'DATE')} AS changed_on, {text('name')} AS name, {text('tier')} AS tier,
            {text('email')} AS email, {text('language')} AS language, {text('customer_id')} AS given_id, batch, path, n,
            corrupt OR {unread('customer_id', 'BIGINT')} OR {unread('changed_on', 'DATE')} AS refused FROM {raw('customers')}"""
        yield f"""CREATE OR REPLACE TABLE silver_customers AS SELECT * FROM customers WHERE NOT refused
            QUALIFY row_number() OVER (PARTITION BY customer_id, changed_on {NEWEST}) = 1"""
        yield """CREATE OR REPLACE TABLE dim_customer AS
            SELECT *, lead(valid_from) OVER (PARTITION BY customer_id ORDER BY valid_from) AS valid_to, nth = 1 AS is_first FROM (
              SELECT customer_id, tier, changed_on AS valid_from,
                last_value(name) OVER w AS name, last_value(email) OVER w AS email,
                lag(tier) OVER o AS before, row_number() OVER o AS nth FROM silver_customers
              WINDOW o AS (PARTITION BY customer_id ORDER BY changed_on), w AS (PARTITION BY customer_id ORDER BY changed_on
                ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))
            WHERE nth = 1 OR tier IS DISTINCT FROM before"""
        yield f"""CREATE OR REPLACE TABLE sales AS SELECT *, NOT refused AND status = 'test' AS dropped FROM (
            SELECT {typed('sale_id', 'DECIMAL(38,0)')} AS sale_id, {typed('sold_on', 'DATE')} AS sold_on,
              {typed('customer_id', 'BIGINT')} AS customer_id, {typed('product_id', 'BIGINT')} AS product_id,
              {text('store_id')} AS store_id, {typed('quantity', 'DECIMAL(38,1)')} AS quantity,
              {typed('amount', 'DECIMAL(10,2)')} AS amount, coalesce({text('status')}, '') AS status, batch, path, n,
              {text('sale_id')} AS given_id,
              corrupt OR {unread('sale_id', 'DECIMAL(38,0)')} OR {unread('sold_on', 'DATE')} OR {unread('customer_id', 'BIGINT')}
              OR {unread('product_id', 'BIGINT')} OR {unread('quantity', 'DECIMAL(38,1)')}
              OR {unread('amount', 'DECIMAL(10,2)')} OR coalesce({typed('quantity', 'DECIMAL(38,1)')} < 0, false)
              OR ({typed('customer_id', 'BIGINT')} IS NOT NULL AND {typed('customer_id', 'BIGINT')} NOT IN
                (SELECT customer_id FROM customers WHERE NOT refused AND customer_id IS NOT NULL)) AS refused
            FROM {raw('sales')})"""
        yield f"""CREATE OR REPLACE TABLE silver_sales AS SELECT * FROM sales WHERE NOT refused AND NOT dropped
            QUALIFY row_number() OVER (PARTITION BY sale_id {NEWEST}) = 1"""
        yield from self.products(raw)
        yield f"""CREATE OR REPLACE TABLE payments AS SELECT * FROM (
            SELECT {typed('payment_id', 'BIGINT')} AS payment_id, {typed('paid_on', 'DATE')} AS paid_on,
              {typed('customer_id', 'BIGINT')} AS customer_id, {typed('product_id', 'BIGINT')} AS product_id,
              {typed('amount', 'DECIMAL(10,2)')} AS amount, coalesce({text('op')}, '') = 'D' AS marks, batch, path, n,
              {text('payment_id')} AS given_id, corrupt OR {unread('payment_id', 'BIGINT')} OR {unread('paid_on', 'DATE')}
              OR {unread('customer_id', 'BIGINT')} OR {unread('product_id', 'BIGINT')} OR {unread('amount', 'DECIMAL(10,2)')} AS refused
            FROM {raw('payments')})"""
        yield f"""CREATE OR REPLACE TABLE living_payments AS SELECT p.* FROM (SELECT * FROM payments WHERE NOT refused AND NOT marks
              QUALIFY row_number() OVER (PARTITION BY payment_id {NEWEST}) = 1) p
            WHERE NOT EXISTS (FROM payments m WHERE m.marks AND NOT m.refused AND m.payment_id = p.payment_id
              AND (m.batch, m.path, m.n) > (p.batch, p.path, p.n))"""
        yield f"""CREATE OR REPLACE TABLE stores AS SELECT {text('store_id')} AS store_id, {text('city')} AS city,
            coalesce({text('op')}, '') = 'D' AS marks, batch, path, n FROM {raw('stores')}"""
        yield f"""CREATE OR REPLACE TABLE dim_store AS
            SELECT store_id, c.city, false AS is_inferred, CASE WHEN (m.batch, m.path, m.n) > (c.batch, c.path, c.n)
              THEN {self.label('m.batch')} END AS deleted_at
            FROM (SELECT * FROM stores WHERE NOT marks QUALIFY row_number() OVER (PARTITION BY store_id {NEWEST}) = 1) c
            LEFT JOIN (SELECT * FROM stores WHERE marks QUALIFY row_number() OVER (PARTITION BY store_id {NEWEST}) = 1) m
              USING (store_id)
            UNION ALL SELECT DISTINCT store_id, NULL, true, NULL FROM silver_sales WHERE store_id IS NOT NULL
              AND store_id NOT IN (SELECT store_id FROM stores WHERE NOT marks)"""
        yield f"""CREATE OR REPLACE TABLE fact_event AS SELECT DISTINCT {typed('happened_at', 'TIMESTAMP')} AS happened_at,
            {text('kind')} AS kind FROM {raw('events')}"""

    def products(self, raw):
        """Versions dated by the batch: a member is there or not in each snapshot."""
        yield f"""CREATE OR REPLACE TABLE states AS
            SELECT b.batch, p.product_id, s.price, s.title, s.product_id IS NOT NULL AS present
            FROM (SELECT DISTINCT batch FROM {raw('products')}) b
            CROSS JOIN (SELECT DISTINCT {typed('product_id', 'BIGINT')} AS product_id FROM {raw('products')}) p
            LEFT JOIN (SELECT batch, {typed('product_id', 'BIGINT')} AS product_id, {typed('price', 'DECIMAL(10,2)')} AS price,
                {text('title')} AS title FROM {raw('products')}
                QUALIFY row_number() OVER (PARTITION BY batch, {typed('product_id', 'BIGINT')} ORDER BY path DESC, n DESC) = 1) s USING (batch, product_id)"""
        yield """CREATE OR REPLACE TABLE changes AS SELECT *, min(batch) FILTER (present) OVER (PARTITION BY product_id) AS born
            FROM (SELECT *, lag(present) OVER o AS was, lag(price) OVER o AS before FROM states
              WINDOW o AS (PARTITION BY product_id ORDER BY batch))
            WHERE (present AND (was IS NOT true OR price IS DISTINCT FROM before)) OR (NOT present AND was)"""
        yield f"""CREATE OR REPLACE TABLE dim_product AS SELECT c.product_id, t.title, c.price,
              CASE WHEN c.batch = c.born THEN 'beginning' ELSE {self.label('c.batch')} END AS valid_from,
              {self.label('c.until')} AS valid_to, c.until IS NULL AND c.present AS is_current,
              row_number() OVER (PARTITION BY c.product_id ORDER BY c.batch DESC) = 1 AS is_last
            FROM (SELECT *, lead(batch) OVER (PARTITION BY product_id ORDER BY batch) AS until FROM changes) c
            JOIN (SELECT product_id, last(title ORDER BY batch) AS title FROM states WHERE present GROUP BY 1) t USING (product_id)
            WHERE c.present"""

    EXPECTED = {
        "silver_customers": "SELECT customer_id, changed_on, name, tier, email FROM silver_customers",
        "dim_customer": """SELECT customer_id, name, tier, email, valid_from, valid_to, valid_to IS NULL FROM dim_customer""",
        "dim_product": "SELECT product_id, title, price, valid_from, valid_to, is_current FROM dim_product",
        "dim_store": "SELECT store_id, city, is_inferred, deleted_at FROM dim_store",
        "silver_sales": "SELECT sale_id, sold_on, customer_id, product_id, store_id, CAST(quantity AS DOUBLE), amount FROM silver_sales",
        "fact_sale": """SELECT s.sale_id, CASE WHEN s.customer_id IS NULL THEN 'none' ELSE CAST(c.valid_from AS VARCHAR) END,
              CASE WHEN s.product_id IS NULL THEN 'none' ELSE coalesce(p.product_id || '@' || p.valid_from, 'unknown') END,
              coalesce(s.store_id, 'none'),
              CASE WHEN year(s.sold_on) BETWEEN 1900 AND 2100 THEN CAST(strftime(s.sold_on, '%Y%m%d') AS BIGINT) ELSE -1 END, CAST(s.quantity AS DOUBLE), s.amount
            FROM silver_sales s LEFT JOIN dim_product p ON p.product_id = s.product_id AND p.is_last
            LEFT JOIN dim_customer c ON c.customer_id = s.customer_id AND (s.sold_on < c.valid_to OR c.valid_to IS NULL)
              AND (s.sold_on >= c.valid_from OR c.is_first)
            WHERE coalesce(s.amount >= -1000, true)""",
        "fact_payment": """SELECT s.payment_id,
              CASE WHEN s.customer_id IS NULL THEN 'none' ELSE coalesce(CAST(c.valid_from AS VARCHAR), 'unknown') END,
              CASE WHEN s.product_id IS NULL THEN 'none' ELSE coalesce(p.product_id || '@' || p.valid_from, 'unknown') END,
              CASE WHEN year(s.paid_on) BETWEEN 1900 AND 2100 THEN CAST(strftime(s.paid_on, '%Y%m%d') AS BIGINT) ELSE -1 END, s.amount
            FROM living_payments s LEFT JOIN dim_product p ON p.product_id = s.product_id AND p.is_last
            LEFT JOIN dim_customer c ON c.customer_id = s.customer_id AND (s.paid_on < c.valid_to OR c.valid_to IS NULL)
              AND (s.paid_on >= c.valid_from OR c.is_first)""",
        "fact_sale_refused": "SELECT sale_id FROM silver_sales WHERE amount < -1000",
        "fact_event": "SELECT happened_at, kind FROM fact_event",
        "dim_date": """SELECT strftime(unnest(generate_series(make_date(least(2025, min(y)), 1, 1),
              make_date(greatest(2026, max(y)), 12, 31), INTERVAL 1 DAY)), '%Y%m%d')
            FROM (SELECT year(sold_on) FROM silver_sales UNION ALL SELECT year(paid_on) FROM payments WHERE NOT refused AND NOT marks UNION ALL SELECT year(happened_at) FROM fact_event) used(y)
            WHERE y BETWEEN 1900 AND 2100""",
        "quarantine": """SELECT 'customers', batch, given_id FROM customers WHERE refused
            UNION ALL SELECT 'sales', batch, given_id FROM sales WHERE refused
            UNION ALL SELECT 'payments', batch, given_id FROM payments WHERE refused""",
        "counts": """SELECT 'sales', (SELECT count(*) FROM sales), (SELECT count(*) FROM silver_sales),
              (SELECT count(*) FROM sales WHERE refused), (SELECT count(*) FROM sales WHERE dropped)
            UNION ALL SELECT 'payments', (SELECT count(*) FROM payments), (SELECT count(DISTINCT payment_id) FROM payments
              WHERE NOT refused AND NOT marks), (SELECT count(*) FROM payments WHERE refused), 0
            UNION ALL SELECT 'events', (SELECT count(*) FROM raw WHERE source = 'events'),
              (SELECT count(*) FROM fact_event), 0, 0""",
    }

    def expected(self, name):
        sql = self.EXPECTED[name]
        if name == "quarantine":
            sql = f"SELECT source, {self.label('batch')}, id FROM ({sql}) q(source, batch, id)"
        return sorted(self.duck.rows(sql), key=str)


def label(moment):
    """A batch time as the batch it belongs to, in Spark SQL."""
    return (f"CASE WHEN {moment} IS NULL THEN NULL WHEN {moment} < TIMESTAMP '1950-01-01' THEN 'beginning' ELSE "
            f"(SELECT max(batch_id) FROM nuvyn_batch b WHERE b.batch_time = {moment}) END")


ACTUAL = {
    "silver_customers": "SELECT customer_id, changed_on, name, tier, email FROM silver_customers",
    "dim_customer": "SELECT customer_id, name, tier, email, valid_from, valid_to, is_current FROM dim_customer WHERE customer_key >= 0",
    "dim_product": f"""SELECT product_id, title, price, {label('valid_from')}, {label('valid_to')}, is_current
        FROM dim_product WHERE product_key >= 0""",
    "dim_store": f"SELECT store_id, city, is_inferred, {label('deleted_at')} FROM dim_store WHERE store_key >= 0",
    "silver_sales": """SELECT sale_id, sold_on, customer_id, product_id, store_id, CAST(quantity AS DOUBLE), amount
        FROM silver_sales""",
    "fact_sale": f"""SELECT sale_id, CASE WHEN f.customer_key = -2 THEN 'none' ELSE CAST(c.valid_from AS STRING) END,
          CASE f.product_key WHEN -2 THEN 'none' WHEN -1 THEN 'unknown' ELSE p.product_id || '@' || from_batch END,
          CASE WHEN f.store_key = -2 THEN 'none' ELSE s.store_id END, date_key, CAST(quantity AS DOUBLE), amount
        FROM fact_sale f JOIN dim_customer c USING (customer_key)
        JOIN (SELECT *, {label('valid_from')} AS from_batch FROM dim_product) p USING (product_key)
        JOIN dim_store s USING (store_key)""",
    "fact_payment": f"""SELECT payment_id,
          CASE f.customer_key WHEN -2 THEN 'none' WHEN -1 THEN 'unknown' ELSE CAST(c.valid_from AS STRING) END,
          CASE f.product_key WHEN -2 THEN 'none' WHEN -1 THEN 'unknown' ELSE p.product_id || '@' || from_batch END, date_key, amount
        FROM fact_payment f JOIN dim_customer c USING (customer_key)
        JOIN (SELECT *, {label('valid_from')} AS from_batch FROM dim_product) p USING (product_key)""",
    "fact_sale_refused": "SELECT sale_id FROM fact_sale_refused",
    "fact_event": "SELECT happened_at, kind FROM fact_event",
    "dim_date": "SELECT date_key FROM dim_date WHERE date_key >= 0",
    "quarantine": """SELECT source, _batch_id, coalesce(get_json_object(record, '$.sale_id'), get_json_object(record, '$.payment_id'),
        get_json_object(record, '$.customer_id')) FROM nuvyn_quarantine""",
    "counts": """SELECT 'sales', (SELECT count(*) FROM bronze_sales), (SELECT count(*) FROM silver_sales),
          (SELECT count(*) FROM nuvyn_quarantine WHERE source = 'sales'),
          (SELECT CAST(get_json_object(max_by(metrics, logged_at), '$.dropped') AS BIGINT) FROM nuvyn_run_log
           WHERE step = '20_silver' AND subject = 'sales')
        UNION ALL SELECT 'payments', (SELECT count(*) FROM bronze_payments), (SELECT count(*) FROM silver_payments),
          (SELECT count(*) FROM nuvyn_quarantine WHERE source = 'payments'), 0
        UNION ALL SELECT 'events', (SELECT count(*) FROM bronze_events), (SELECT count(*) FROM silver_events), 0, 0""",
}


def actual(project, name):
    """The same from the tables that the pipeline loaded."""
    def as_text(value):
        return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return sorted((tuple(map(as_text, row)) for row in project.rows(ACTUAL[name])), key=str)
