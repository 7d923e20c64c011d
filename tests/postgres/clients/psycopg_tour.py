"""A tour of psycopg 3: text and binary, pipeline, COPY, cursors, cancel. Connects by PG* variables."""

import datetime
import decimal
import hashlib
import logging
import threading
import uuid

import psycopg
from psycopg.types.json import Jsonb

# psycopg warns of a pipeline that ends aborted, with an address in memory, if it is freed in time.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)


def say(name, value):
    print(f"{name}: {value!r}", flush=True)


def fails(name, action):
    try:
        say(name, action())
    except psycopg.Error as error:
        d = error.diag
        fields = ("severity", "sqlstate", "message_primary", "message_detail", "message_hint", "statement_position",
                  "context", "schema_name", "table_name", "column_name", "constraint_name", "source_file",
                  "source_function")
        say(name, [type(error).__name__, *(getattr(d, field) for field in fields)])


def connect(**options):
    conn = psycopg.connect(autocommit=True, **options)
    conn.add_notice_handler(lambda d: say("notice", [d.severity, d.sqlstate, d.message_primary, d.message_hint]))
    return conn


def start(conn):
    for name in ("server_version", "client_encoding", "server_encoding", "is_superuser", "session_authorization",
                 "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
                 "application_name", "in_hot_standby", "default_transaction_read_only"):
        say(name, conn.info.parameter_status(name))
    conn.execute("CREATE SCHEMA tour")
    conn.execute("SET search_path = tour")
    conn.execute("CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2), made timestamptz, raw bytea,"
                 " more jsonb, key uuid, list int[])")


ROWS = [
    (1, "plain", decimal.Decimal("1.50"), datetime.datetime(2020, 1, 2, 3, 4, 5, 678901, datetime.timezone.utc),
     b"\x00\x01\xff", Jsonb({"a": [1, None]}), uuid.UUID(int=7), [1, 2, 3]),
    (2, "ünï 🦀 'q' \\ \n", decimal.Decimal("-0.01"), None, b"", Jsonb(None), None, []),
    (3, None, None, None, None, None, None, None),
]


def data(conn):
    cur = conn.cursor()
    cur.executemany("INSERT INTO item VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id", ROWS, returning=True)
    say("rowcount", cur.rowcount)
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        say("rows", cur.execute("SELECT * FROM item ORDER BY id").fetchall())
        say("columns", [(c.name, c.type_code, c.internal_size, c.precision, c.scale) for c in cur.description])
        say("status", cur.statusmessage)
    for number in range(8):  # past psycopg's threshold the statement is prepared
        say("prepared", conn.execute("SELECT name, %s::int FROM item WHERE id = %s", (number, number)).fetchall())
    say("empty query", conn.execute("").statusmessage)
    cur = conn.execute("SELECT 1 AS a; UPDATE item SET name = 'x' WHERE id = 3; SELECT 2 AS b, 3 AS c")
    while True:
        say("multi", (cur.statusmessage, cur.fetchall() if cur.description else None))
        if not cur.nextset():
            break
    for binary in (False, True):
        many = conn.cursor(binary=binary).execute("SELECT i, md5(i::text) FROM generate_series(1, 20000) i").fetchall()
        say("many rows", hashlib.sha256(repr(many).encode()).hexdigest())
        big = conn.cursor(binary=binary).execute("SELECT repeat('big ü', 1000000)").fetchone()[0]
        say("big value", (len(big), hashlib.sha256(big.encode()).hexdigest()))
    say("big parameter", conn.execute("SELECT length(%s::text)", ("y" * 3_000_000,)).fetchone())


def errors(conn):
    fails("syntax", lambda: conn.execute("SELEC 1"))
    fails("column", lambda: conn.execute("SELECT id, nope FROM item"))
    fails("duplicate", lambda: conn.execute("INSERT INTO item (id) VALUES (%s)", (1,)))
    fails("division", lambda: conn.execute("SELECT 1/(%s::int)", (0,)).fetchall())
    fails("late error", lambda: conn.execute("SELECT 10/(5 - i) FROM generate_series(1, 9) i").fetchall())
    fails("raised", lambda: conn.execute("DO $$BEGIN RAISE EXCEPTION 'no' USING HINT='h', DETAIL='d', TABLE='t'; END$$"))
    conn.execute("DO $$BEGIN RAISE NOTICE 'hello %', 'ü'; RAISE WARNING 'careful' USING HINT='hint'; END$$")
    say("still usable", conn.execute("SELECT 1").fetchone())


def transactions(conn):
    with conn.transaction():
        conn.execute("INSERT INTO item (id) VALUES (10)")
        try:
            with conn.transaction():
                conn.execute("INSERT INTO item (id) VALUES (11)")
                conn.execute("SELECT 1/0")
        except psycopg.Error as error:
            say("savepoint", (error.sqlstate, conn.info.transaction_status.name))
        say("inside", conn.execute("SELECT count(*) FROM item").fetchone())
    fails("unknown savepoint", lambda: conn.execute("ROLLBACK TO nowhere"))
    conn.execute("BEGIN")
    fails("breaks", lambda: conn.execute("SELECT 1/0"))
    say("status", conn.info.transaction_status.name)
    fails("ignored", lambda: conn.execute("SELECT 1"))
    say("commit of a broken one", conn.execute("COMMIT").statusmessage)
    with conn.transaction(), conn.cursor(name="walk") as cur:
        cur.itersize = 3
        cur.execute("SELECT i FROM generate_series(1, 8) i")
        say("cursor", [row[0] for row in cur])
    with conn.transaction(), conn.cursor(name="scrolls", scrollable=True, binary=True) as cur:
        cur.execute("SELECT i, i::numeric FROM generate_series(1, 8) i")
        say("forward", cur.fetchmany(3))
        cur.scroll(-2)
        say("after scroll", cur.fetchall())


def pipelines(conn):
    with conn.pipeline():
        cursors = [conn.execute("SELECT %s::int * 2", (i,)) for i in range(5)]
        say("pipeline", [cur.fetchone() for cur in cursors])

    def broken():
        with conn.pipeline() as pipe:
            conn.execute("INSERT INTO item (id) VALUES (20)")
            pipe.sync()
            conn.execute("INSERT INTO item (id) VALUES (21)")
            conn.execute("SELECT 1/0")
            conn.execute("INSERT INTO item (id) VALUES (22)")
            pipe.sync()

    fails("pipeline error", broken)
    say("after pipeline", conn.execute("SELECT id FROM item WHERE id >= 20 ORDER BY 1").fetchall())
    with conn.pipeline(), conn.transaction():
        conn.execute("INSERT INTO item (id) VALUES (30)")
        say("in pipeline", conn.execute("SELECT count(*) FROM item WHERE id = 30").fetchone())


def copies(conn):
    for options in ("", "(FORMAT csv, HEADER)", "(FORMAT binary)"):
        with conn.cursor().copy(f"COPY (SELECT * FROM item ORDER BY id) TO STDOUT {options}") as copy:
            say("copy out " + options, b"".join(bytes(part) for part in copy))
    conn.execute("CREATE TABLE bulk (i int, t text)")
    cur = conn.cursor()
    for options in ("", "(FORMAT binary)"):
        with cur.copy(f"COPY bulk FROM STDIN {options}") as copy:
            copy.set_types(["int4", "text"])
            for i in range(3000):
                copy.write_row((i, None if i % 7 == 0 else f"row\t{i} ü"))
        say("copy in " + options, (cur.rowcount, cur.statusmessage))
    say("copied", conn.execute("SELECT count(*), count(t), sum(i), md5(string_agg(t, ',' ORDER BY i)) FROM bulk").fetchone())

    def broken():
        with conn.cursor().copy("COPY bulk FROM STDIN") as copy:
            copy.write(b"1\tfine\n")
            copy.write(b"not a number\tbroken\n")
            for _ in range(200):
                copy.write(b"3\tstill streaming " + b"x" * 4000 + b"\n")

    fails("broken copy", broken)

    def given_up():
        with conn.cursor().copy("COPY bulk FROM STDIN") as copy:
            copy.write(b"1\tfine\n")
            raise RuntimeError("changed my mind")

    try:
        given_up()
    except RuntimeError as error:
        say("given up", str(error))
    with conn.cursor().copy("COPY (SELECT i, repeat('z', 500) FROM generate_series(1, 50000) i) TO STDOUT") as copy:
        digest = hashlib.sha256()
        for part in copy:
            digest.update(part)
    say("long copy", digest.hexdigest())
    say("after copy", conn.execute("SELECT count(*) FROM bulk").fetchone())


def cancels(conn):
    done = threading.Event()
    failures = set()

    def cancel():
        while not done.wait(0.2):
            try:
                conn.cancel_safe()
            except psycopg.Error as error:  # its text names the port, which is another in every run
                failures.add(str(error).rsplit("failed: ", 1)[-1])

    thread = threading.Thread(target=cancel)
    thread.start()
    fails("cancelled", lambda: conn.execute("SELECT pg_sleep(60)"))
    done.set()
    thread.join()
    say("cancel requests that failed", sorted(failures))
    for _ in range(10):  # one more cancel may be on its way
        try:
            say("after cancel", conn.execute("SELECT pg_sleep(0.1), 'alive'").fetchone()[1])
            break
        except psycopg.errors.QueryCanceled:
            continue


def main():
    with connect() as conn:
        start(conn)
        data(conn)
        errors(conn)
        transactions(conn)
        pipelines(conn)
        copies(conn)
        cancels(conn)
        conn.execute("LISTEN news")
        conn.execute("NOTIFY news, 'hello'")
        say("notify", [(n.channel, n.payload) for n in conn.notifies(timeout=5, stop_after=1)])
    with connect(options="-c search_path=tour -c default_transaction_read_only=on", application_name="tour é") as conn:
        say("options", conn.execute("SHOW search_path").fetchone() + conn.execute("SHOW application_name").fetchone())
        fails("read only", lambda: conn.execute("DELETE FROM item"))
        conn.execute("SET default_transaction_read_only = off")
        conn.execute("SET client_min_messages = warning")
        conn.execute("DROP SCHEMA tour CASCADE")
    fails("no such database", lambda: psycopg.connect(dbname="nowhere"))


main()
