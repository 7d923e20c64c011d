CREATE TYPE mood AS ENUM ('leakme', 'fine');
CREATE TYPE pair AS (one text, other int);
CREATE DOMAIN dom AS text CHECK (length(VALUE) > 2);
CREATE TABLE vault (
    id int PRIMARY KEY,
    label text NOT NULL,
    email text UNIQUE,
    phone varchar(40),
    fixed char(20),
    short name,
    doc json,
    docb jsonb,
    list text[],
    born date,
    seen timestamptz,
    amount numeric,
    big int8,
    small int4,
    raw bytea,
    ident uuid,
    addr inet,
    markup xml,
    pair pair,
    mood mood,
    span daterange,
    truth boolean,
    real8 float8,
    point_at point,
    bits bit varying,
    dom dom
);
INSERT INTO vault VALUES
(1, 'first', 'leakme@leakme.test', 'leakme', 'leakme', 'leakme', '{"a": "leakme"}', '{"a": ["leakme"]}',
 '{leakme,leakme}', '1977-03-31', '1977-03-31 07:33:17Z', 733177331.7733, 7331773317733177, 733177331,
 'leakme', '77317731-7731-7731-7731-773177317731', '203.0.113.77', '<a>leakme</a>', ('leakme', 733177331), 'leakme',
 '[1977-03-31,1977-04-01)', true, 7331.77331, '(7331.77331,1)', B'0111', 'leakme'),
(2, 'second', 'leakme2@leakme.test', 'leakme', 'leakme', 'leakme', '{"a": "leakme"}', '{"a": ["leakme"]}',
 '{leakme}', '1977-03-31', '1977-03-31 07:33:17Z', 733177331.7733, 7331773317733177, 733177331,
 'leakme', '77317731-7731-7731-7731-773177317732', '203.0.113.77', '<a>leakme</a>', ('leakme', 733177331), 'leakme',
 '[1977-03-31,1977-04-01)', true, 7331.77331, '(7331.77331,1)', B'0111', 'leakme');
CREATE TABLE orders (id int PRIMARY KEY, owner int REFERENCES vault, item text, price numeric);
INSERT INTO orders VALUES (1, 1, 'lamp', 10.5), (2, 1, 'desk', 99), (3, 2, 'lamp', 12);
CREATE VIEW vault_view AS SELECT id, label, email AS contact, upper(phone) AS loud FROM vault;
CREATE VIEW vault_deep AS SELECT v.id, v.contact || '!' AS said, o.item FROM vault_view v JOIN orders o ON o.owner = v.id;
CREATE MATERIALIZED VIEW vault_kept AS SELECT id, email AS kept, label FROM vault;
CREATE TABLE vault_part (id int, region text, email text) PARTITION BY LIST (region);
CREATE FUNCTION tell(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.vault WHERE id = $1';
CREATE FUNCTION shout(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', $1; END $$;
CREATE FUNCTION fail_with(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', $1 USING DETAIL = $1, HINT = $1; END $$;
ANALYZE vault;
