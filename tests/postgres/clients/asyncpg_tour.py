"""A tour of asyncpg: binary results, prepared statements, cursors, COPY, cancel. Connects by PG* variables."""

import asyncio
import datetime
import decimal
import hashlib
import io
import uuid

import asyncpg


def say(name, value):
    print(f"{name}: {value!r}", flush=True)


async def fails(name, action):
    try:
        say(name, await action)
    except asyncpg.PostgresError as error:
        say(name, [type(error).__name__, *(sorted((k, v) for k, v in error.as_dict().items() if k != "server_source_line"))])


async def data(conn):
    await conn.execute("CREATE SCHEMA tour; SET search_path = tour")
    await conn.execute("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text);"
                       "CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, made timestamptz, day date,"
                       " raw bytea, key uuid, list text[], feels mood, both_ pair, span int4range, gap interval)")
    row = (1, "ünï 🦀", decimal.Decimal("12.340"), datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
           datetime.date(1999, 12, 31), b"\x00\xff", uuid.UUID(int=5), ["a", None, 'q"'], "happy", (3, "three"),
           asyncpg.Range(1, 9), datetime.timedelta(days=1, seconds=2))
    say("insert", await conn.execute(f"INSERT INTO item VALUES ({', '.join(f'${i}' for i in range(1, 13))})", *row))
    await conn.executemany("INSERT INTO item (id, name) VALUES ($1, $2)", [(i, None if i % 2 else str(i)) for i in range(2, 50)])
    say("rows", [dict(r) for r in await conn.fetch("SELECT * FROM item ORDER BY id LIMIT 3")])
    statement = await conn.prepare("SELECT id, name, $1::text AS given FROM item WHERE id = ANY($2) ORDER BY id")
    say("parameters", [(p.oid, p.name) for p in statement.get_parameters()])
    say("attributes", [(a.name, a.type.name) for a in statement.get_attributes()])
    for ids in ([1], [2, 3], []):
        say("prepared", [tuple(r) for r in await statement.fetch("x", ids)])
    say("status", statement.get_statusmsg())
    say("many", hashlib.sha256(repr([tuple(r) for r in await conn.fetch(
        "SELECT i, md5(i::text), i::numeric / 7 FROM generate_series(1, 20000) i")]).encode()).hexdigest())
    big = await conn.fetchval("SELECT repeat('big', 2000000)")
    say("big", (len(big), hashlib.sha256(big.encode()).hexdigest()))
    say("simple", await conn.execute("SELECT 1; SELECT 2"))


async def errors(conn):
    conn.add_log_listener(lambda _, m: say("notice", (m.severity, m.sqlstate, m.message, m.hint)))
    await conn.execute("DO $$BEGIN RAISE NOTICE 'n %', 1; RAISE WARNING 'w' USING HINT = 'h'; END$$")
    await fails("syntax", conn.fetch("SELECT FROM WHERE"))
    await fails("duplicate", conn.execute("INSERT INTO item (id) VALUES ($1)", 1))
    await fails("division", conn.fetch("SELECT 1 / $1::int", 0))
    await fails("late", conn.fetch("SELECT 10 / (5 - i) FROM generate_series(1, 9) i"))
    await fails("raised", conn.execute("DO $$BEGIN RAISE 'no' USING ERRCODE='P0042', DETAIL='d', COLUMN='c'; END$$"))
    say("usable", await conn.fetchval("SELECT 1"))


async def transactions(conn):
    async with conn.transaction():
        await conn.execute("INSERT INTO item (id) VALUES (100)")
        try:
            async with conn.transaction():
                await conn.execute("SELECT 1/0")
        except asyncpg.DivisionByZeroError as error:
            say("savepoint", str(error))
        say("inside", await conn.fetchval("SELECT count(*) FROM item"))
    async with conn.transaction(isolation="serializable", readonly=True):
        await fails("read only", conn.execute("DELETE FROM item"))
    async with conn.transaction():
        say("walk", [r["i"] async for r in conn.cursor("SELECT i FROM generate_series(1, 25) i", prefetch=4)])
        cursor = await conn.cursor("SELECT i FROM generate_series(1, 25) i WHERE i > $1", 5)
        say("fetch", [r["i"] for r in await cursor.fetch(3)])
        say("forward", await cursor.forward(4))
        say("row", dict(await cursor.fetchrow()))


async def copies(conn):
    for options in ({}, {"format": "csv", "header": True}, {"format": "binary"}):
        out = io.BytesIO()
        say("copy out", await conn.copy_from_query("SELECT * FROM item ORDER BY id LIMIT 5", output=out, **options))
        say("bytes", out.getvalue())
    await conn.execute("CREATE TABLE bulk (i int, t text)")
    say("copy in", await conn.copy_records_to_table("bulk", records=[(i, f"r {i}") for i in range(5000)], schema_name="tour"))
    say("copy csv", await conn.copy_to_table("bulk", source=io.BytesIO(b'1,"a, b"\n2,\n'), format="csv", schema_name="tour"))
    await fails("broken", conn.copy_to_table("bulk", source=io.BytesIO(b"x\ty\n" * 5000), schema_name="tour"))
    say("bulk", dict(await conn.fetchrow("SELECT count(*), sum(i), md5(string_agg(t, '' ORDER BY i, t)) FROM bulk")))


async def cancels(conn):
    try:
        await conn.fetch("SELECT pg_sleep(60)", timeout=0.5)
    except asyncio.TimeoutError:
        say("cancelled", "by time-out")
    say("after cancel", await conn.fetchval("SELECT 'alive'"))
    heard = asyncio.Queue()
    await conn.add_listener("news", lambda _c, _pid, channel, payload: heard.put_nowait((channel, payload)))
    await conn.execute("NOTIFY news, 'hello ü'")
    say("notify", await asyncio.wait_for(heard.get(), 5))


async def main():
    conn = await asyncpg.connect()
    settings = conn.get_settings()
    for name in ("server_version", "client_encoding", "TimeZone", "is_superuser", "session_authorization"):
        say(name, getattr(settings, name, None))
    await data(conn)
    await errors(conn)
    await transactions(conn)
    await copies(conn)
    await cancels(conn)
    await conn.execute("SET client_min_messages = warning; DROP SCHEMA tour CASCADE")
    await conn.close()
    pool = await asyncpg.create_pool(min_size=3, max_size=3)
    say("pool", await asyncio.gather(*(pool.fetchval("SELECT $1::int * 2", i) for i in range(12))))
    await pool.close()
    await fails("no such database", asyncpg.connect(database="nowhere"))


asyncio.run(main())
