import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** A tour of pgjdbc: text and binary results, batches, fetch size, COPY, errors, warnings, cancel. Connects by PG* variables. */
public final class Tour {
    interface Action {
        Object run() throws Exception;
    }

    static void say(String name, Object value) {
        System.out.println(name + ": " + value);
    }

    static void fails(String name, Action action) throws Exception {
        try {
            say(name, action.run());
        } catch (PSQLException e) {
            ServerErrorMessage m = e.getServerErrorMessage();
            say(name, m == null ? e.getSQLState() + " " + e.getMessage()
                : Arrays.asList(m.getSeverity(), m.getSQLState(), m.getMessage(), m.getDetail(), m.getHint(), m.getPosition(), m.getWhere(),
                    m.getSchema(), m.getTable(), m.getColumn(), m.getConstraint(), m.getFile(), m.getLine(), m.getRoutine()).toString());
        }
    }

    static Connection connect(String database, String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        if (System.getenv("PGSSLROOTCERT") != null) {
            properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        }
        for (int i = 0; i < options.length; i += 2) {
            properties.setProperty(options[i], options[i + 1]);
        }
        return DriverManager.getConnection("jdbc:postgresql://localhost:" + System.getenv("PGPORT") + "/" + database, properties);
    }

    static String all(ResultSet rows) throws SQLException {
        StringBuilder text = new StringBuilder();
        ResultSetMetaData meta = rows.getMetaData();
        for (int i = 1; i <= meta.getColumnCount(); i++) {
            text.append(meta.getColumnName(i)).append(' ').append(meta.getColumnTypeName(i)).append(',');
        }
        while (rows.next()) {
            text.append(" | ");
            for (int i = 1; i <= meta.getColumnCount(); i++) {
                // In binary form, getString of a bytea would give the array's identity.
                boolean bytes = meta.getColumnType(i) == Types.BINARY;
                text.append(bytes ? hex(rows.getBytes(i)) : rows.getString(i)).append(',');
            }
        }
        return text.toString();
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : HexFormat.of().formatHex(bytes);
    }

    static String hash(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    static void warnings(Statement statement) throws SQLException {
        for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) {
            say("warning", w.getSQLState() + " " + w.getMessage());
        }
    }

    static void data(Connection conn) throws Exception {
        Statement s = conn.createStatement();
        s.execute("CREATE SCHEMA tour; SET search_path = tour");
        s.execute("CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, made timestamp, raw bytea, more jsonb, list int[], yes bool, f8 float8)");
        PreparedStatement insert = conn.prepareStatement("INSERT INTO item VALUES (?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?)", Statement.RETURN_GENERATED_KEYS);
        for (int i = 0; i < 20; i++) {
            insert.setInt(1, i);
            insert.setString(2, i % 3 == 0 ? null : "ünï 🦀 " + i);
            insert.setBigDecimal(3, new java.math.BigDecimal("1.50").multiply(java.math.BigDecimal.valueOf(i)));
            insert.setTimestamp(4, java.sql.Timestamp.valueOf("2020-01-02 03:04:05.678"));
            insert.setBytes(5, new byte[] {0, (byte) i, (byte) 255});
            insert.setString(6, "{\"a\": [" + i + ", null]}");
            insert.setArray(7, conn.createArrayOf("int4", new Integer[] {i, null}));
            insert.setBoolean(8, i % 2 == 0);
            insert.setDouble(9, i / 3.0);
            if (i < 10) {
                say("insert", insert.executeUpdate() + " " + all(insert.getGeneratedKeys()));
            } else {
                insert.addBatch();
            }
        }
        say("batch", Arrays.toString(insert.executeBatch()));
        PreparedStatement get = conn.prepareStatement("SELECT *, ?::int AS n FROM item WHERE id = ?");
        for (int i = 0; i < 8; i++) { // past the threshold statements are named and results are binary
            get.setInt(1, i);
            get.setInt(2, i);
            say("get", all(get.executeQuery()));
        }
        boolean rows = s.execute("SELECT 1 AS a; UPDATE item SET yes = NOT yes; SELECT 2 AS b");
        while (rows || s.getUpdateCount() != -1) {
            say("multi", rows ? all(s.getResultSet()) : s.getUpdateCount());
            rows = s.getMoreResults();
        }
        say("empty", s.execute("") + " " + s.getUpdateCount());
        say("many", hash(all(s.executeQuery("SELECT i, md5(i::text) FROM generate_series(1, 20000) i")).getBytes(StandardCharsets.UTF_8)));
        say("big", hash(all(s.executeQuery("SELECT repeat('big ü', 1000000)")).getBytes(StandardCharsets.UTF_8)));
        say("tables", all(conn.getMetaData().getTables(null, "tour", "%", null)));
        ResultSet columns = conn.getMetaData().getColumns(null, "tour", "item", "%");
        while (columns.next()) {
            say("column", columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME") + " " + columns.getInt("NULLABLE"));
        }
    }

    static void errors(Connection conn) throws Exception {
        Statement s = conn.createStatement();
        s.execute("DO $$BEGIN RAISE NOTICE 'n %', 'ü'; RAISE WARNING 'w' USING HINT = 'h'; END$$");
        warnings(s);
        fails("syntax", () -> s.executeQuery("SELECT FROM WHERE"));
        fails("duplicate", () -> s.executeUpdate("INSERT INTO item (id) VALUES (1)"));
        fails("division", () -> s.executeQuery("SELECT 1/0"));
        fails("late", () -> all(s.executeQuery("SELECT 10 / (5 - i) FROM generate_series(1, 9) i")));
        fails("raised", () -> s.execute("DO $$BEGIN RAISE 'no' USING ERRCODE = 'P0042', DETAIL = 'd', COLUMN = 'c'; END$$"));
        PreparedStatement batch = conn.prepareStatement("INSERT INTO item (id) VALUES (?)");
        for (int id : new int[] {100, 101, 1, 102}) {
            batch.setInt(1, id);
            batch.addBatch();
        }
        try {
            batch.executeBatch();
        } catch (java.sql.BatchUpdateException e) {
            say("batch", Arrays.toString(e.getUpdateCounts()) + " " + e.getSQLState() + " " + e.getMessage());
        }
        say("count", all(s.executeQuery("SELECT count(*) FROM item")));
    }

    static void transactions(Connection conn) throws Exception {
        conn.setAutoCommit(false);
        Statement s = conn.createStatement();
        s.execute("INSERT INTO item (id) VALUES (200)");
        Savepoint point = conn.setSavepoint("point");
        fails("inside", () -> s.execute("SELECT 1/0"));
        fails("aborted", () -> s.execute("SELECT 1"));
        conn.rollback(point);
        say("inside", all(s.executeQuery("SELECT count(*) FROM item WHERE id = 200")));
        PreparedStatement walk = conn.prepareStatement("SELECT i, i::text FROM generate_series(1, 50) i");
        walk.setFetchSize(7); // a portal with a row limit
        for (int i = 0; i < 7; i++) {
            say("walk", all(walk.executeQuery()));
        }
        conn.rollback();
        conn.setAutoCommit(true);
        conn.setReadOnly(true);
        conn.setAutoCommit(false);
        fails("read only", () -> s.executeUpdate("DELETE FROM item"));
        conn.rollback();
        conn.setAutoCommit(true);
        conn.setReadOnly(false);
    }

    static void copies(Connection conn) throws Exception {
        var copy = conn.unwrap(PGConnection.class).getCopyAPI();
        for (String options : new String[] {"", "(FORMAT csv, HEADER)", "(FORMAT binary)"}) {
            var out = new ByteArrayOutputStream();
            say("copy out", copy.copyOut("COPY (SELECT * FROM item ORDER BY id) TO STDOUT " + options, out));
            say("bytes", HexFormat.of().formatHex(out.toByteArray()));
        }
        Statement s = conn.createStatement();
        s.execute("CREATE TABLE bulk (i int, t text)");
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 5000; i++) {
            lines.append(i).append("\trow ü ").append(i).append('\n');
        }
        say("copy in", copy.copyIn("COPY bulk FROM STDIN", new ByteArrayInputStream(lines.toString().getBytes(StandardCharsets.UTF_8))));
        fails("broken", () -> copy.copyIn("COPY bulk FROM STDIN", new ByteArrayInputStream("1\tfine\nx\tbroken\n".getBytes(StandardCharsets.UTF_8))));
        say("bulk", all(s.executeQuery("SELECT count(*), md5(string_agg(t, '' ORDER BY i)) FROM bulk")));
    }

    static void cancels(Connection conn) throws Exception {
        Statement s = conn.createStatement();
        Thread canceller = new Thread(() -> {
            try {
                while (true) {
                    Thread.sleep(200);
                    s.cancel();
                }
            } catch (InterruptedException | SQLException e) {
                return;
            }
        });
        canceller.start();
        fails("cancelled", () -> s.execute("SELECT pg_sleep(60)"));
        canceller.interrupt();
        canceller.join();
        s.setQueryTimeout(1);
        fails("timeout", () -> s.execute("SELECT pg_sleep(60)"));
        s.setQueryTimeout(0);
        s.execute("LISTEN news; NOTIFY news, 'hello ü'");
        for (var n : conn.unwrap(PGConnection.class).getNotifications(5000)) {
            say("notify", n.getName() + " " + n.getParameter());
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
        java.util.Locale.setDefault(java.util.Locale.ROOT);
        java.util.TimeZone.setDefault(java.util.TimeZone.getTimeZone("UTC"));
        String database = System.getenv("PGDATABASE");
        try (Connection conn = connect(database)) {
            say("product", conn.getMetaData().getDatabaseProductVersion());
            data(conn);
            errors(conn);
            transactions(conn);
            copies(conn);
            cancels(conn);
        }
        for (String mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
            try (Connection conn = connect(database, "preferQueryMode", mode, "currentSchema", "tour", "reWriteBatchedInserts", "true")) {
                for (int i = 0; i < 3; i++) {
                    PreparedStatement get = conn.prepareStatement("SELECT id, name FROM item WHERE id = ?");
                    get.setInt(1, i);
                    say(mode, all(get.executeQuery()));
                }
                fails(mode, () -> conn.createStatement().executeQuery("SELECT nope"));
            }
        }
        try (Connection conn = connect(database); Statement s = conn.createStatement()) {
            s.execute("SET client_min_messages = warning; DROP SCHEMA tour CASCADE");
        }
        fails("no such database", () -> connect("nowhere"));
    }
}
