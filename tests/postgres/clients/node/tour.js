// A tour of node-postgres: simple and named statements, cursors, COPY streams, errors, notices, cancel.
// Connects by PG* variables; PGSSLROOTCERT means TLS with that authority.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { Client, Pool, types } = require("pg");
const Cursor = require("pg-cursor");
const copy = require("pg-copy-streams");

types.setTypeParser(1184, (text) => text); // timestamptz as text
const authority = process.env.PGSSLROOTCERT;
const ssl = authority ? { ca: fs.readFileSync(authority, "utf8"), servername: "localhost" } : false;
delete process.env.PGSSLMODE;
delete process.env.PGSSLROOTCERT;

const say = (name, value) => console.log(`${name}: ${JSON.stringify(value)}`);
const hash = (value) => crypto.createHash("sha256").update(JSON.stringify(value)).digest("hex");
const FIELDS = ["severity", "code", "message", "detail", "hint", "position", "where", "schema", "table", "column",
  "constraint", "file", "line", "routine"];

async function fails(name, action) {
  try {
    say(name, await action());
  } catch (error) {
    say(name, FIELDS.map((field) => error[field] ?? null));
  }
}

async function connect(options) {
  const client = new Client({ ssl, ...options });
  client.on("notice", (n) => say("notice", [n.severity, n.code, n.message, n.hint ?? null]));
  await client.connect();
  return client;
}

async function data(client) {
  await client.query("CREATE SCHEMA tour; SET search_path = tour");
  await client.query("CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, made timestamptz, raw bytea, more jsonb, list text[])");
  const insert = { name: "insert", text: "INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id" };
  say("insert", (await client.query({ ...insert, values: [1, "ünï 🦀", "1.50", "2020-01-02T03:04:05Z", Buffer.from([0, 255]), { a: [1, null] }, ["a", null]] })).rows);
  say("insert", (await client.query({ ...insert, values: [2, null, null, null, null, null, null] })).rows);
  for (const binary of [false, true]) {
    const result = await client.query({ text: "SELECT id, name, more, raw FROM item ORDER BY id", binary });
    say("rows", result.rows);
    say("fields", result.fields.map((f) => [f.name, f.dataTypeID, f.dataTypeSize, f.format, f.columnID]));
    say("command", [result.command, result.rowCount]);
  }
  for (let i = 0; i < 4; i++) say("named", (await client.query({ name: "get", text: "SELECT name, $1::int AS n FROM item WHERE id = $1", values: [i] })).rows);
  say("multi", (await client.query("SELECT 1 AS a; UPDATE item SET name = 'x' WHERE id = 2; SELECT 2 AS b")).map((r) => [r.command, r.rowCount, r.rows]));
  say("empty", (await client.query("")).rows);
  say("array mode", (await client.query({ text: "SELECT 1 AS x, 2 AS x", rowMode: "array" })).rows);
  say("many", hash((await client.query("SELECT i, md5(i::text) FROM generate_series(1, 20000) i")).rows));
  say("big", hash((await client.query("SELECT repeat('big ü', 1000000) AS b")).rows));
  say("at once", await Promise.all([3, 2, 1].map(async (n) => (await client.query("SELECT $1::int AS n", [n])).rows)));
}

async function errors(client) {
  await client.query("DO $$BEGIN RAISE NOTICE 'n %', 'ü'; RAISE WARNING 'w' USING HINT = 'h'; END$$");
  await fails("syntax", () => client.query("SELECT FROM WHERE"));
  await fails("duplicate", () => client.query("INSERT INTO item (id) VALUES ($1)", [1]));
  await fails("division", () => client.query("SELECT 1 / $1::int", [0]));
  await fails("late", () => client.query("SELECT 10 / (5 - i) FROM generate_series(1, 9) i"));
  await fails("middle", () => client.query("SELECT 1; SELECT 1/0; SELECT 2"));
  await fails("raised", () => client.query("DO $$BEGIN RAISE 'no' USING ERRCODE = 'P0042', DETAIL = 'd', COLUMN = 'c'; END$$"));
  const queued = [client.query("SELECT 1 AS one"), client.query("SELECT 1/0"), client.query("SELECT 2 AS two")];
  say("queued", (await Promise.allSettled(queued)).map((r) => (r.status === "fulfilled" ? r.value.rows : r.reason.code)));
}

async function transactions(client) {
  await client.query("BEGIN");
  await client.query("INSERT INTO item (id) VALUES (10)");
  await client.query("SAVEPOINT s");
  await fails("inside", () => client.query("SELECT 1/0"));
  await fails("aborted", () => client.query("SELECT 1"));
  await client.query("ROLLBACK TO s");
  say("count", (await client.query("SELECT count(*) FROM item")).rows);
  say("rollback", (await client.query("ROLLBACK")).command);
  const cursor = client.query(new Cursor("SELECT i FROM generate_series(1, 10) i WHERE i > $1", [2]));
  say("cursor", await cursor.read(3));
  say("cursor", await cursor.read(100));
  await cursor.close();
}

async function copies(client) {
  for (const options of ["", "(FORMAT csv, HEADER)", "(FORMAT binary)"]) {
    const parts = [];
    for await (const part of client.query(copy.to(`COPY (SELECT * FROM item ORDER BY id) TO STDOUT ${options}`))) parts.push(part);
    say("copy out", Buffer.concat(parts).toString("hex"));
  }
  await client.query("CREATE TABLE bulk (i int, t text)");
  const lines = Array.from({ length: 5000 }, (_, i) => `${i}\trow ${i} ü\n`);
  const sink = client.query(copy.from("COPY bulk FROM STDIN"));
  await pipeline(Readable.from(lines), sink);
  say("copy in", sink.rowCount);
  await fails("broken", () => pipeline(Readable.from(["1\tfine\n", "x\ty\n"]), client.query(copy.from("COPY bulk FROM STDIN"))));
  say("bulk", (await client.query("SELECT count(*), md5(string_agg(t, '' ORDER BY i)) FROM bulk")).rows);
}

async function sideways(client) {
  const pid = (await client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid;
  const slow = fails("terminated by another", () => client.query("SELECT pg_sleep(60)"));
  const other = await connect({ application_name: "other" });
  for (let done = false; !done; ) {
    done = (await other.query("SELECT pg_cancel_backend($1) FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep(60)%' AND state = 'active'", [pid])).rowCount === 1;
  }
  await slow;
  const heard = new Promise((resolve) => client.once("notification", (n) => resolve([n.channel, n.payload])));
  await client.query("LISTEN news");
  await other.query("SELECT pg_notify('news', 'hello ü')");
  say("notify", await heard);
  await other.end();
}

async function main() {
  const client = await connect();
  await data(client);
  await errors(client);
  await transactions(client);
  await copies(client);
  await sideways(client);
  await client.query("SET client_min_messages = warning; DROP SCHEMA tour CASCADE");
  await client.end();
  const pool = new Pool({ ssl, max: 3 });
  say("pool", (await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.query("SELECT $1::int AS n", [n])))).map((r) => r.rows));
  await pool.end();
  await fails("no such database", () => connect({ database: "nowhere" }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
