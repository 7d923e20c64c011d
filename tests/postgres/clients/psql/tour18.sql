-- The extended protocol and pipelines, which psql can speak since version 18.
\set VERBOSITY verbose
CREATE SCHEMA tour;
CREATE TABLE tour.item (id int PRIMARY KEY, name text);
\bind 1 'one'
INSERT INTO tour.item VALUES ($1, $2) \g
SELECT $1::int + $2::int AS sum \bind 2 3 \g
SELECT $1::text IS NULL AS empty \bind '' \g
SELECT $1::int \bind nonsense \g
SELECT name FROM tour.item WHERE id = $1 \parse by_id
\bind_named by_id 1 \g
\bind_named by_id 2 \g
\close_prepared by_id
-- The gate says this itself, in PostgreSQL's words but without its source location.
\set VERBOSITY default
\bind_named by_id 1 \g
\set VERBOSITY verbose
\startpipeline
SELECT $1::text AS first \bind 'a' \sendpipeline
INSERT INTO tour.item VALUES ($1, $2) \bind 2 two \sendpipeline
SELECT count(*) FROM tour.item \bind \sendpipeline
\endpipeline
\startpipeline
INSERT INTO tour.item VALUES (3, 'three') \bind \sendpipeline
SELECT 1/0 \bind \sendpipeline
INSERT INTO tour.item VALUES (4, 'four') \bind \sendpipeline
\syncpipeline
SELECT 'after sync' \bind \sendpipeline
\endpipeline
\startpipeline
SELECT 1 AS one \bind \sendpipeline
\flushrequest
\getresults
SELECT 2 AS two \bind \sendpipeline
\endpipeline
SELECT * FROM tour.item ORDER BY id;
DROP SCHEMA tour CASCADE;
