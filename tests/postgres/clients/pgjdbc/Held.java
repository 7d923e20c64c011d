// Runs one statement that may have to wait for humans, and prints what a program sees of it.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.util.Properties;

public class Held {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        String url = "jdbc:postgresql://localhost:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            run(connection, System.getenv("HELD_STATEMENT"), Integer.parseInt(System.getenv("HELD_VALUE")));
            try (ResultSet result = connection.createStatement().executeQuery("SELECT 'still here'")) {
                result.next();
                System.out.println(result.getString(1));
            }
        } catch (SQLException error) {
            System.out.println("ended: " + error.getSQLState() + " " + error.getMessage());
        }
    }

    private static void run(Connection connection, String text, int value) throws Exception {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            statement.setInt(1, value);
            String cancel = System.getenv("HELD_CANCEL");
            if (cancel != null) {
                Thread canceller = new Thread(() -> {
                    try {
                        // Whoever watches the gate makes this file once the statement waits.
                        while (!new java.io.File(cancel).exists()) {
                            Thread.sleep(20);
                        }
                        statement.cancel();
                    } catch (Exception error) {
                        System.out.println("not cancelled: " + error);
                    }
                });
                canceller.setDaemon(true);
                canceller.start();
            }
            System.out.println("rows: " + statement.executeUpdate());
            for (SQLWarning warning = statement.getWarnings(); warning != null; warning = warning.getNextWarning()) {
                System.out.println("notice: " + warning);
            }
        } catch (SQLException error) {
            System.out.println("error: " + error.getSQLState() + " " + error.getMessage());
            if (error.getSQLState().startsWith("57P")) {
                throw error;
            }
        }
    }
}
