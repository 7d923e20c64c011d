#!/bin/sh
# A tour of pg_dump and pg_restore: three formats, a parallel dump, and a restore that must dump the
# same again. Connects by PG* variables; $1 is the folder of the PostgreSQL programs, $2 an empty one.
set -eu
bin=$1
work=$2

"$bin/psql" -X -q -v ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = warning;
CREATE SCHEMA tour;
SET search_path = tour;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SEQUENCE numbers START 5;
CREATE TABLE customer (id int PRIMARY KEY DEFAULT nextval('tour.numbers'), name text NOT NULL, feels mood, extra jsonb);
CREATE TABLE visit (customer int REFERENCES customer, at timestamptz, raw bytea, EXCLUDE (customer WITH =, at WITH =));
CREATE INDEX ON visit (at);
CREATE VIEW happy AS SELECT id, name FROM customer WHERE feels = 'happy';
CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 2 * i $$;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := trim(NEW.name); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
COMMENT ON TABLE customer IS 'comments too: ünï ''quoted''';
GRANT SELECT ON customer TO PUBLIC;
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON customer USING (true);
INSERT INTO customer (name, feels, extra) SELECT 'name ü ' || i, CASE WHEN i % 2 = 0 THEN 'happy'::tour.mood END, jsonb_build_object('i', i) FROM generate_series(1, 500) i;
INSERT INTO visit SELECT 5 + i % 500, timestamptz '2020-01-01 00:00:00+00' + i * interval '1 hour', decode(md5(i::text), 'hex') FROM generate_series(1, 2000) i;
INSERT INTO parted SELECT i, repeat('v', i) FROM generate_series(0, 99) i;
SQL

# A random key in the output would differ between runs; it guards restores of foreign dumps.
dump() {
	"$bin/pg_dump" --schema=tour "$@"
}

dump --restrict-key=tour > "$work/plain.sql"
cat "$work/plain.sql"
dump --restrict-key=tour --inserts --rows-per-insert=100 --no-owner | cksum
dump --format=custom --file="$work/custom"
dump --format=directory --jobs=2 --file="$work/directory"
"$bin/pg_restore" --list "$work/custom" | grep -v '^;' | cut -d' ' -f4-
"$bin/psql" -X -q -c 'SET client_min_messages = warning' -c 'DROP SCHEMA tour CASCADE'
"$bin/pg_restore" --dbname="$PGDATABASE" --jobs=2 --exit-on-error "$work/directory"
dump --restrict-key=tour > "$work/again.sql"
cmp "$work/plain.sql" "$work/again.sql" && echo "the parallel restore dumps the same"
"$bin/pg_restore" --dbname="$PGDATABASE" --clean --if-exists --single-transaction --exit-on-error "$work/custom"
dump --restrict-key=tour | cmp - "$work/plain.sql" && echo "the restore with clean dumps the same"
"$bin/psql" -X -q -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' -c 'DROP SCHEMA tour CASCADE' -c 'CREATE SCHEMA tour'
"$bin/psql" -X -q -c 'SET client_min_messages = warning' -c 'DROP SCHEMA tour CASCADE'
"$bin/psql" -X -q -v ON_ERROR_STOP=1 -f "$work/plain.sql"
"$bin/psql" -X -q -c 'SET client_min_messages = warning' -c 'DROP SCHEMA tour CASCADE'
