-- What a person does in psql: run with -X -a, both outputs together. psql 15 and newer.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '(null)'
\encoding
SHOW server_version;
SHOW client_encoding;
SHOW application_name;
SELECT current_user, session_user, current_database();

-- data definition and change
CREATE SCHEMA tour;
SET search_path = tour, public;
SHOW search_path;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE customer (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE, born date, balance numeric(12,2) DEFAULT 0 CHECK (balance >= 0), feels mood, tags text[], extra jsonb);
CREATE TABLE visit (customer int REFERENCES customer ON DELETE CASCADE, at timestamptz, note text);
INSERT INTO customer (name, email, born, balance, feels, tags, extra) VALUES
  ('Ann', 'ann@example.com', '1990-01-02', 10.50, 'happy', '{a,b}', '{"k": [1, 2, null]}'),
  ('Björn Ångström', 'bjorn@example.com', NULL, 0, NULL, '{}', 'null'),
  ('名前 🦀', NULL, '2000-02-29', 99999999.99, 'ok', '{"with \"quote\"",NULL}', NULL);
INSERT INTO visit SELECT 1, timestamptz '2020-01-01 00:00:00+00' + i * interval '1 day', 'visit ' || i FROM generate_series(1, 5) i RETURNING *;
SELECT * FROM customer ORDER BY id;
UPDATE customer SET balance = balance + 1 WHERE id = 1 RETURNING name AS delete, balance;
DELETE FROM visit WHERE note = 'visit 5';
SELECT count(*) FROM visit;
\d customer
\dt tour.*
\dn

-- errors with their place and detail
SELECT 1 +;
SELECT nope FROM customer;
INSERT INTO customer (name, email) VALUES ('Twin', 'ann@example.com');
INSERT INTO customer (name, balance) VALUES ('Poor', -1);
INSERT INTO visit VALUES (999, now(), 'nobody');
SELECT 1/0;
SELECT 'x'::int;
TABLE missing;
DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = 'P0042', DETAIL = 'a detail', HINT = 'a hint', COLUMN = 'c', CONSTRAINT = 'k', TABLE = 't', SCHEMA = 's', DATATYPE = 'd'; END $$;
\errverbose

-- notices
DO $$ BEGIN RAISE NOTICE 'a notice: %', 'ünïcode'; RAISE WARNING 'a warning' USING HINT = 'mind it'; RAISE INFO 'an info'; END $$;
DROP TABLE IF EXISTS never_was;
SET client_min_messages = debug1;
DO $$ BEGIN RAISE DEBUG 'a debug line'; END $$;
RESET client_min_messages;

-- transactions
BEGIN;
INSERT INTO customer (name) VALUES ('Ghost');
SAVEPOINT one;
SELECT 1/0;
SELECT 'not now';
ROLLBACK TO one;
SELECT count(*) FROM customer;
RELEASE one;
ROLLBACK;
SELECT count(*) FROM customer;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
INSERT INTO customer (name) VALUES ('Read only');
COMMIT;
COMMIT;

-- cursors and prepared statements of SQL
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i, i * i FROM generate_series(1, 10) i;
FETCH 3 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE 4 FROM c;
FETCH ALL FROM c;
CLOSE c;
COMMIT;
PREPARE get (int) AS SELECT name FROM customer WHERE id = $1;
EXECUTE get (1);
EXECUTE get (3);
DEALLOCATE get;
EXECUTE get (1);
\set FETCH_COUNT 7
SELECT i, md5(i::text) FROM generate_series(1, 20) i;
\unset FETCH_COUNT

-- COPY in three formats
COPY customer TO STDOUT;
COPY (SELECT id, name, tags FROM customer ORDER BY id) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *);
COPY visit (customer, at, note) FROM STDIN;
1	2021-01-01 00:00:00+00	by copy
2	2021-01-02 00:00:00+00	\N
3	2021-01-03 00:00:00+00	tab\there and line\nthere
\.
COPY visit FROM STDIN (FORMAT csv);
1,2021-02-01 00:00:00+00,"quoted, ""text"""
\.
COPY visit FROM STDIN;
1	not a time	broken
\.
\copy (SELECT * FROM visit ORDER BY at, note) TO STDOUT
SELECT count(*) FROM visit;

-- several statements at once, empty ones, a failure in the middle
SELECT 1 AS a\; SELECT 2 AS b\; SELECT 3 AS c;
;
SELECT 1 AS before\; SELECT 1/0\; SELECT 2 AS never;
BEGIN\; INSERT INTO customer (name) VALUES ('Batch')\; COMMIT\; SELECT count(*) FROM customer;
/* comment only */;

-- big things
SELECT length(repeat('x', 3000000)), md5(repeat('x', 3000000));
SELECT repeat('long ', 40000) AS wide \gset
\echo :{?wide}
SELECT count(*), sum(length(v)) FROM (SELECT md5(i::text) v FROM generate_series(1, 100000) i) t;
SELECT i, repeat(chr(65 + i % 26), i % 50) FROM generate_series(1, 300) i;

-- settings, notifications, timeouts
LISTEN news;
NOTIFY news, 'payload with ünïcode';
SELECT 'after notify';
UNLISTEN *;
SET statement_timeout = '50ms';
SELECT pg_sleep(5);
RESET statement_timeout;
SET timezone = 'Asia/Tokyo';
SELECT timestamptz '2020-06-01 00:00:00+00';
SET datestyle = 'German, DMY';
SELECT date '2020-06-01';
RESET ALL;
EXPLAIN (COSTS off) SELECT * FROM customer WHERE id = 1;
SELECT E'\\x00ff'::bytea, U&'d\0061t\+000061', $$dollar 'quoted'$$, $q$ $$ inner $$ $q$;
SELECT '{"a": 1}'::jsonb, int4range(1, 5), interval '1 year 2 mons 3 days 04:05:06', inet '10.0.0.0/8', '(1,2)'::point, true, NULL, 1e308::float8, 'NaN'::float8, uuid '00000000-0000-0000-0000-000000000001', B'101', xml '<a/>', ARRAY[[1,2],[3,4]];
SELECT * FROM customer WHERE false;
SELECT;
\gdesc
SELECT id, name, balance FROM customer \gdesc
DROP SCHEMA tour CASCADE;
