// Runs every statement of a file with pgx 5 in each of its ways, in text and in binary, and prints all
// that came back. Connects by PG* variables.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	ctx  = context.Background()
	ways = []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol}
)

func must(err error) {
	if err != nil {
		fmt.Println("unexpected:", err)
		os.Exit(1)
	}
}

func told(err error) {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		fmt.Printf("error: %+v\n", *e)
	} else if err != nil {
		fmt.Println("error:", err)
	}
}

func connect() *pgx.Conn {
	config, err := pgx.ParseConfig("")
	must(err)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Printf("notice: %+v\n", *n) }
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { fmt.Println("told:", n.Payload) }
	conn, err := pgx.ConnectConfig(ctx, config)
	must(err)
	return conn
}

// read prints each value as bytes and as the driver decodes it.
func read(conn *pgx.Conn, text string, way pgx.QueryExecMode) {
	found, err := conn.Query(ctx, text, way)
	if err == nil {
		for found.Next() {
			for _, raw := range found.RawValues() {
				fmt.Printf("%s|", raw)
			}
			values, problem := found.Values()
			fmt.Println(values, problem)
		}
		err = found.Err()
	}
	told(err)
}

// several runs statements that only the simple protocol takes together.
func several(conn *pgx.Conn, text string) {
	results, err := conn.PgConn().Exec(ctx, text).ReadAll()
	for _, result := range results {
		fmt.Printf("%s %s\n", result.CommandTag, result.Rows)
	}
	told(err)
}

func main() {
	list, err := os.ReadFile(os.Args[1])
	must(err)
	conn := connect()
	for _, text := range strings.Split(string(list), "\n") {
		switch {
		case text == "" || strings.HasPrefix(text, "--"):
		case strings.HasPrefix(text, "COPY"):
			fmt.Println("statement")
			var out bytes.Buffer
			_, err := conn.PgConn().CopyTo(ctx, &out, text)
			fmt.Printf("%s\n", out.Bytes())
			told(err)
		case strings.Contains(text, ";"):
			fmt.Println("statement")
			several(conn, text)
		default:
			for _, way := range ways {
				fmt.Println("statement", way)
				read(conn, text, way)
			}
		}
		if conn.PgConn().TxStatus() != 'I' {
			_, _ = conn.Exec(ctx, "ROLLBACK")
		}
		if conn.IsClosed() {
			fmt.Println("unexpected: the connection has ended")
			os.Exit(1)
		}
	}
	must(conn.Close(ctx))
}
