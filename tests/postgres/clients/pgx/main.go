// A tour of pgx 5: cached and simple statements, batches, pipelines, COPY, errors, notices, cancel.
// Connects by PG* variables.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

var ctx = context.Background()

func say(name string, values ...any) { fmt.Printf("%s: %q\n", name, fmt.Sprint(values...)) }

func must(err error) {
	if err != nil {
		say("unexpected", err)
		os.Exit(1)
	}
}

func told(name string, err error) {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		say(name, e.Severity, "|", e.SeverityUnlocalized, "|", e.Code, "|", e.Message, "|", e.Detail, "|", e.Hint, "|", e.Position, "|",
			e.InternalPosition, "|", e.Where, "|", e.SchemaName, "|", e.TableName, "|", e.ColumnName, "|", e.ConstraintName, "|", e.File, "|", e.Line, "|", e.Routine)
	} else {
		say(name, err)
	}
}

func rows(conn *pgx.Conn, name, sql string, args ...any) {
	found, err := conn.Query(ctx, sql, args...)
	if err == nil {
		for found.Next() {
			values, problem := found.Values()
			must(problem)
			say(name, values)
		}
		err = found.Err()
	}
	told(name+" "+found.CommandTag().String(), err)
}

func connect(change func(*pgx.ConnConfig)) *pgx.Conn {
	config, err := pgx.ParseConfig("")
	must(err)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { say("notice", n.Severity, n.Code, n.Message, n.Hint) }
	if change != nil {
		change(config)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	must(err)
	return conn
}

func data(conn *pgx.Conn) {
	for _, name := range []string{"server_version", "client_encoding", "TimeZone", "is_superuser", "session_authorization", "integer_datetimes"} {
		say(name, conn.PgConn().ParameterStatus(name))
	}
	_, err := conn.Exec(ctx, "CREATE SCHEMA tour; SET search_path = tour; CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, made timestamptz, raw bytea, more jsonb, list int[])")
	must(err)
	made := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	rows(conn, "insert", "INSERT INTO item VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id, name", 1, "ünï 🦀", "1.50", made, []byte{0, 255}, map[string]any{"a": nil}, []int32{1, 2})
	rows(conn, "insert", "INSERT INTO item (id) VALUES ($1)", 2)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		rows(conn, mode.String(), "SELECT id, name, raw, list FROM item WHERE id > $1 ORDER BY id", mode, int32(0))
		rows(conn, mode.String(), "SELECT nope FROM item WHERE id = $1", mode, int32(0))
	}
	for n := range 3 {
		rows(conn, "again", "SELECT $1::int * 2, name FROM item ORDER BY id", n)
	}
	digest := sha256.New()
	many, err := conn.Query(ctx, "SELECT i, md5(i::text) FROM generate_series(1, 20000) i")
	must(err)
	for many.Next() {
		for _, raw := range many.RawValues() {
			digest.Write(raw)
		}
	}
	say("many", fmt.Sprintf("%x", digest.Sum(nil)), many.CommandTag())
	var big string
	must(conn.QueryRow(ctx, "SELECT repeat('big ü', 1000000)").Scan(&big))
	say("big", len(big), fmt.Sprintf("%x", sha256.Sum256([]byte(big))))
	several, err := conn.PgConn().Exec(ctx, "SELECT 1; UPDATE item SET name = 'x' WHERE id = 2; SELECT 2, 3").ReadAll()
	for _, result := range several {
		say("multi", result.CommandTag, result.Rows)
	}
	told("multi", err)
}

func failures(conn *pgx.Conn) {
	_, err := conn.Exec(ctx, "DO $$BEGIN RAISE NOTICE 'n %', 'ü'; RAISE WARNING 'w' USING HINT = 'h'; END$$")
	told("notices", err)
	rows(conn, "syntax", "SELECT FROM WHERE")
	rows(conn, "duplicate", "INSERT INTO item (id) VALUES ($1)", 1)
	rows(conn, "division", "SELECT 1 / $1::int", 0)
	rows(conn, "late", "SELECT 10 / (5 - i) FROM generate_series(1, 9) i")
	_, err = conn.Exec(ctx, "DO $$BEGIN RAISE 'no' USING ERRCODE = 'P0042', DETAIL = 'd', COLUMN = 'c'; END$$")
	told("raised", err)
	tx, err := conn.Begin(ctx)
	must(err)
	_, err = tx.Exec(ctx, "INSERT INTO item (id) VALUES (10)")
	must(err)
	inner, err := tx.Begin(ctx)
	must(err)
	_, err = inner.Exec(ctx, "SELECT 1/0")
	told("inside", err)
	_, err = inner.Exec(ctx, "SELECT 1")
	told("aborted", err)
	must(inner.Rollback(ctx))
	say("status", string(conn.PgConn().TxStatus()))
	must(tx.Commit(ctx))
	rows(conn, "count", "SELECT count(*) FROM item")
}

func batches(conn *pgx.Conn) {
	batch := &pgx.Batch{}
	for n := range 5 {
		batch.Queue("SELECT $1::int + 1, $2::text", n, "ü")
	}
	batch.Queue("SELECT 1/0")
	batch.Queue("SELECT 'never'")
	results := conn.SendBatch(ctx, batch)
	for range batch.Len() {
		var n int
		var text string
		err := results.QueryRow().Scan(&n, &text)
		say("batch", n, text)
		told("batch", err)
	}
	told("batch closed", results.Close())

	pipe := conn.PgConn().StartPipeline(ctx)
	pipe.SendPrepare("p", "SELECT $1::int", nil)
	pipe.SendQueryPrepared("p", [][]byte{[]byte("7")}, nil, nil)
	must(pipe.Sync())
	pipe.SendQueryParams("INSERT INTO item (id) VALUES (20)", nil, nil, nil, nil)
	pipe.SendQueryParams("SELECT 1/0", nil, nil, nil, nil)
	pipe.SendQueryParams("SELECT 'skipped'", nil, nil, nil, nil)
	must(pipe.Sync())
	pipe.SendQueryParams("SELECT count(*) FROM item WHERE id = 20", nil, nil, nil, nil)
	pipe.SendDeallocate("p")
	must(pipe.Sync())
	for {
		result, err := pipe.GetResults()
		if result == nil && err == nil {
			break
		}
		told(fmt.Sprintf("pipeline %T", result), err)
		if reader, ok := result.(*pgconn.ResultReader); ok {
			read := reader.Read()
			say("read", read.Rows, read.CommandTag)
			told("read", read.Err)
		}
	}
	told("pipeline closed", pipe.Close())
}

func copies(conn *pgx.Conn) {
	for _, options := range []string{"", "(FORMAT csv, HEADER)", "(FORMAT binary)"} {
		var out bytes.Buffer
		tag, err := conn.PgConn().CopyTo(ctx, &out, "COPY (SELECT * FROM item ORDER BY id) TO STDOUT "+options)
		say("copy out", tag, out.Bytes())
		told("copy out", err)
	}
	_, err := conn.Exec(ctx, "CREATE TABLE bulk (i int, t text)")
	must(err)
	count, err := conn.CopyFrom(ctx, pgx.Identifier{"bulk"}, []string{"i", "t"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) { return []any{i, fmt.Sprint("row ü ", i)}, nil }))
	say("copy in", count)
	told("copy in", err)
	tag, err := conn.PgConn().CopyFrom(ctx, strings.NewReader("1\tfine\nx\tbroken\n"), "COPY bulk FROM STDIN")
	say("broken", tag)
	told("broken", err)
	rows(conn, "bulk", "SELECT count(*), md5(string_agg(t, '' ORDER BY i)) FROM bulk")
}

func cancels(conn *pgx.Conn) {
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				_ = conn.PgConn().CancelRequest(ctx)
			}
		}
	}()
	_, err := conn.Exec(ctx, "SELECT pg_sleep(60)")
	close(done)
	told("cancelled", err)
	for range 10 { // one more cancel may be on its way
		if _, err = conn.Exec(ctx, "SELECT pg_sleep(0.1)"); err == nil {
			break
		}
	}
	told("after cancel", err)
	_, err = conn.Exec(ctx, "LISTEN news; NOTIFY news, 'hello ü'")
	must(err)
	heard, err := conn.WaitForNotification(ctx)
	must(err)
	say("notify", heard.Channel, heard.Payload)
}

func main() {
	conn := connect(nil)
	data(conn)
	failures(conn)
	batches(conn)
	copies(conn)
	cancels(conn)
	_, err := conn.Exec(ctx, "SET client_min_messages = warning; DROP SCHEMA tour CASCADE")
	must(err)
	must(conn.Close(ctx))
	pool, err := pgxpool.New(ctx, "pool_max_conns=3")
	must(err)
	for n := range 6 {
		var got int
		must(pool.QueryRow(ctx, "SELECT $1::int", n).Scan(&got))
		say("pool", got)
	}
	pool.Close()
	config, err := pgx.ParseConfig("dbname=nowhere")
	must(err)
	_, err = pgx.ConnectConfig(ctx, config)
	told("no such database", err)
}
