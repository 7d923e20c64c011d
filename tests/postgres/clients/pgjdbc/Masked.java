// Runs every statement of a file with pgjdbc, in binary wherever it can, and prints all that came back.

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.util.Properties;

public class Masked {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        // Described once, in binary from the first execution on.
        properties.setProperty("prepareThreshold", "-1");
        String url = "jdbc:postgresql://localhost:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            for (String line : Files.readAllLines(Path.of(args[0]))) {
                // Of several statements the driver describes all before it runs the first.
                if (line.isBlank() || line.startsWith("--") || line.contains(";")) {
                    continue;
                }
                try (PreparedStatement statement = connection.prepareStatement(line)) {
                    // The second time it runs without being described.
                    for (int time = 0; time < 2; time++) {
                        System.out.println("statement");
                        show(statement, statement.execute());
                    }
                } catch (SQLException error) {
                    System.out.println("error: " + error.getSQLState() + " " + error);
                }
            }
        }
    }

    /** What is masked is still a value of its column's type. */
    private static void load(ResultSet result, int column) {
        try {
            result.getObject(column);
        } catch (SQLException error) {
            System.out.println("cannot be read: " + error);
        }
    }

    private static void show(PreparedStatement statement, boolean rows) throws SQLException {
        while (rows || statement.getUpdateCount() != -1) {
            if (rows) {
                ResultSet result = statement.getResultSet();
                int columns = result.getMetaData().getColumnCount();
                while (result.next()) {
                    for (int column = 1; column <= columns; column++) {
                        System.out.print(result.getString(column) + "|");
                        load(result, column);
                    }
                    System.out.println();
                }
            }
            rows = statement.getMoreResults();
        }
        for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
            System.out.println("notice: " + warning);
        }
    }
}
