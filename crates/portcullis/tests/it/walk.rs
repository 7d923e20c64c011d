//! The whole way: a real psql, a real PostgreSQL, and between them the gate.

use std::process::Command;

use portcullis_testkit::issuer::{Claims, Issuer};
use portcullis_testkit::servers::{Postgres, Version};

use crate::gate::{Folder, Ran, Serving};

const POLICIES: &str = r#"@id("vendors-work")
permit (principal in Group::"test:vendors", action, resource in Target::"shop");

@id("never-drop") @reason("schema changes go through migrations")
forbid (principal, action in Action::"sql:ddl", resource);
"#;

struct Scene {
    postgres: Postgres,
    issuer: Issuer,
    serving: Serving,
}

impl Scene {
    fn start() -> Self {
        let postgres = Postgres::start(Version::V15).unwrap();
        postgres
            .sql("create table orders (id int); insert into orders values (1), (2); grant all on orders to public")
            .unwrap();
        let issuer = Issuer::start_blocking().unwrap();
        let folder = Folder::with(&format!(
            r#"[policy]
dir = "policies"
[recording]
dir = "recordings"
[tls]
certificate = "{certificate}"
key = "{key}"
[[identity.oidc]]
name = "test"
issuer = "{issuer}"
audience = "portcullis"
[[target]]
name = "shop"
protocol = "postgres"
listen = "127.0.0.1:0"
address = "localhost:{port}"
tls = {{ ca = "{ca}" }}
login = {{ user = "{user}", password = {{ env = "ORDERS_PASSWORD" }} }}
"#,
            certificate = postgres.certificates().certificate().display(),
            key = postgres.certificates().key().display(),
            issuer = issuer.url(),
            port = postgres.port(),
            ca = postgres.certificates().authority().display(),
            user = Postgres::USER,
        ));
        folder.write("policies/orders.cedar", POLICIES);
        let serving = Serving::start(folder, Postgres::PASSWORD);
        Self { postgres, issuer, serving }
    }

    fn psql(&self, token: &str, script: &str) -> Ran {
        let mut command = Command::new(self.postgres.program("psql"));
        command.args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-c", script]);
        command.env("PGHOST", "localhost").env("PGPORT", self.serving.port("shop").to_string());
        command.env("PGUSER", "ann").env("PGPASSWORD", token).env("PGDATABASE", Postgres::DATABASE);
        command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", self.postgres.certificates().authority());
        command.output().unwrap().into()
    }
}

#[test]
fn a_vendor_reads_may_not_drop_and_both_are_on_record() {
    let scene = Scene::start();
    let vendor = scene.issuer.mint(&Claims::new("00u1").email("ann@example.com").groups(["vendors"]));
    let read = scene.psql(&vendor, "select count(*) from orders");
    assert_eq!((read.code, read.out.as_str()), (Some(0), "2\n"), "{}", read.err);
    let drop = scene.psql(&vendor, "drop table orders");
    assert!(drop.err.contains("42501") && drop.err.contains("schema changes go through migrations"), "{}", drop.err);
    let expired = scene.psql(&scene.issuer.mint(&Claims::new("00u1").groups(["vendors"]).expired()), "select 1");
    assert_eq!(expired.code, Some(2), "{}", expired.err);

    let folder = scene.serving.stop();
    let sessions = folder.run(&["sessions"]);
    assert_eq!(sessions.out.lines().count(), 2, "{}", sessions.out);
    assert!(sessions.out.contains("ann@example.com") && sessions.out.contains("1 denied"), "{}", sessions.out);
    let replay = folder.run(&["replay", "2"]).out;
    assert!(replay.contains("drop table orders") && replay.contains("deny by `never-drop`"), "{replay}");
    let verify = folder.run(&["verify", "recordings"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    assert_eq!(scene.postgres.sql("select count(*) from orders").unwrap().trim(), "2");
}
