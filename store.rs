//! The file: bounds, versions, modes, and what a later build wrote.

use std::os::unix::fs::PermissionsExt;

use portcullis_control::asks::{Ask, State};
use portcullis_control::store::{MAX_OPEN_OF_ONE, Sqlite, Store, StoreError};
use tempfile::TempDir;

use crate::stage::{Stage, wait, within};

async fn one() -> Ask {
    let stage = Stage::new().await;
    let asked = stage.ask("gate-1", "DELETE", 1);
    let id = asked.notice().id.clone();
    let waiting = wait(asked);
    stage.until(&id, "pending").await;
    let ask = stage.desk().show(&crate::stage::human("d", "d@example.com", &["okta:dba"]), &id).await.unwrap();
    waiting.abort();
    ask
}

#[tokio::test]
async fn of_two_changes_to_one_version_the_second_is_told() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&folder.path().join("a.db")).await.unwrap();
    let ask = one().await;
    store.insert(&ask).await.unwrap();
    let kept = store.get(&ask.id).await.unwrap().unwrap();
    let gone = ask.clone().withdraw().unwrap();
    assert!(store.replace(kept.version, &gone).await.unwrap());
    assert!(!store.replace(kept.version, &ask).await.unwrap());
    assert_eq!(store.get(&ask.id).await.unwrap().unwrap().ask.state, State::Withdrawn);
    assert!(store.open_asks().await.unwrap().is_empty());
    assert_eq!(store.list(Some(State::Withdrawn), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_asker_has_so_many_open_asks_and_no_more() {
    let folder = TempDir::new().unwrap();
    let store = Sqlite::open(&folder.path().join("a.db")).await.unwrap();
    let mut ask = one().await;
    for number in 0..MAX_OPEN_OF_ONE {
        (ask.id, ask.fingerprint) = (number.to_string(), number.to_string());
        store.insert(&ask).await.unwrap();
    }
    (ask.id, ask.fingerprint) = ("more".into(), "more".into());
    assert!(matches!(store.insert(&ask).await, Err(StoreError::Full)));
    ask.asker.subject = "another".into();
    store.insert(&ask).await.unwrap();
    ask.id = "same".into();
    assert!(matches!(store.insert(&ask).await, Err(StoreError::Failed(_))), "one thing was asked twice at once");
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    let stage = Stage::new().await;
    let mode = std::fs::metadata(stage.database()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_of_a_later_build_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.db");
    within(async {
        let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        sqlx::query("PRAGMA user_version = 9").execute(&pool).await.unwrap();
        pool.close().await;
    })
    .await;
    let why = Sqlite::open(&path).await.unwrap_err().to_string();
    assert!(why.contains("has the schema 9; this build knows 1"), "{why}");
}
