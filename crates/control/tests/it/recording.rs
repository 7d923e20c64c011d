//! Recordings are taken away as they are, and whoever reads one is written down first.

use portcullis_control::api::AuditList;
use portcullis_control::archive::Form;
use portcullis_testkit::fakes::Failing;
use reqwest::{Method, Response};
use serde_json::json;

use crate::Plane;
use crate::archive::{closed, opened};

const ONE: &str = "sessions/gate-0000000001";

impl Plane {
    async fn taken(&self, token: &str, path: &str) -> Response {
        let request = self.client.get(format!("http://{}/v1/{path}", self.address)).bearer_auth(token);
        request.send().await.unwrap()
    }

    async fn reads(&self) -> Vec<(String, String)> {
        let list: AuditList = self.good(Method::GET, "operator", "audit", None).await;
        assert!(list.entries.iter().all(|entry| entry.what == "session gate-0000000001" && entry.target == "shop"));
        list.entries.into_iter().map(|entry| (entry.detail, entry.outcome.unwrap_or_default())).collect()
    }
}

async fn with_session() -> Plane {
    let plane = Plane::start().await;
    plane.archive.write(1, [opened(1, "eve", "shop"), json!({ "resize": { "op": 1 } }), closed(1)]);
    plane.indexed(1).await;
    plane
}

#[tokio::test]
async fn each_form_comes_as_a_file_of_its_own_name_and_is_in_the_audit() {
    let plane = with_session().await;
    for (form, kind, ending) in [
        (Form::Sealed, "application/octet-stream", "rec"),
        (Form::Jsonl, "application/jsonl; charset=utf-8", "jsonl"),
        (Form::Asciicast, "application/x-asciicast", "cast"),
        (Form::AsciicastV3, "application/x-asciicast", "cast"),
        (Form::Ocsf, "application/jsonl; charset=utf-8", "ocsf.jsonl"),
    ] {
        let word = form.word();
        let taken = plane.taken("auditor", &format!("{ONE}/recording?format={word}")).await;
        assert_eq!(taken.status(), 200, "{word}");
        assert_eq!(taken.headers()["content-type"], kind);
        let name = format!("attachment; filename=\"gate-0000000001.{ending}\"");
        assert_eq!(taken.headers()["content-disposition"], name);
        assert_eq!(taken.headers()["cache-control"], "no-store");
        let text = taken.text().await.unwrap();
        assert!(text.starts_with(&format!("{word} {{\"opened\"")) && text.lines().count() == 3, "{text}");
        assert_eq!(plane.reads().await[0], (word.to_owned(), "done".to_owned()));
    }
    let sealed = plane.taken("auditor", &format!("{ONE}/recording")).await.text().await.unwrap();
    assert!(sealed.starts_with("sealed "), "{sealed}");
    plane.taken("auditor", &format!("{ONE}/recording?format=asciicast&op=4")).await;
    assert_eq!(plane.reads().await[0].0, "asciicast of operation 4");
}

#[tokio::test]
async fn session_without_a_terminal_is_not_played_and_odd_formats_are_refused() {
    let plane = Plane::start().await;
    plane.archive.session(1, "eve", "shop", &[("select 1", "allow")]);
    plane.indexed(1).await;
    let cast = format!("{ONE}/recording?format=asciicast");
    assert_eq!(plane.refused(Method::GET, "auditor", &cast, None).await, (422, "no-terminal".into()));
    assert_eq!(plane.reads().await, [("asciicast".to_owned(), "no-terminal".to_owned())]);
    for odd in ["format=pdf", "format=", "op=x", "path=x"] {
        let path = format!("{ONE}/recording?{odd}");
        assert_eq!(plane.refused(Method::GET, "auditor", &path, None).await, (400, "bad-query".into()), "{odd}");
    }
}

#[tokio::test]
async fn id_is_a_name_and_never_a_path() {
    let plane = with_session().await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e%2f1",
        "gate-0000000001%2f..%2fgate-0000000001",
        "gate-0000000001%00",
        "0000000001.rec",
        "1",
    ] {
        let refused = plane.refused(Method::GET, "auditor", &format!("sessions/{id}/recording"), None).await;
        assert_eq!(refused, (404, "no-such-session".into()), "{id}");
    }
    // Of a target that one may not read about, there is none either.
    assert_eq!(plane.refused(Method::GET, "eve", &format!("{ONE}/recording"), None).await.0, 404);
    assert!(plane.reads().await.is_empty());
}

#[tokio::test]
async fn damage_cuts_the_answer_short_so_that_a_part_is_not_taken_for_the_whole() {
    let plane = Plane::start().await;
    plane.archive.write(1, [opened(1, "eve", "shop")]);
    plane.indexed(1).await;
    plane.archive.write(1, [json!({ "damaged": {} })]);
    let at = format!("http://{}/v1/{ONE}/recording?format=jsonl", plane.address);
    let taken = async { plane.client.get(at).bearer_auth("auditor").send().await?.bytes().await };
    assert!(taken.await.is_err());
}

#[tokio::test]
async fn whoever_reads_events_is_written_down_once_wherever_they_begin() {
    let plane = with_session().await;
    let events = |query: &str| format!("{ONE}/events{query}");
    let read = [("events".to_owned(), "done".to_owned())];
    // Beginning in the middle is reading too.
    plane.taken("auditor", &events("?after=1")).await;
    assert_eq!(plane.reads().await, read);
    for query in ["?after=1", "?after=2", "/live?after=1"] {
        assert_eq!(plane.taken("auditor", &events(query)).await.status(), 200);
    }
    assert_eq!(plane.reads().await, read);
    // Somebody else, and the beginning again.
    plane.taken("operator", &events("?after=2")).await;
    plane.taken("auditor", &events("")).await;
    plane.taken("auditor", &events("/live")).await;
    assert_eq!(plane.reads().await.len(), 4);
}

#[tokio::test]
async fn nothing_is_read_that_cannot_be_written_down() {
    let plane = with_session().await;
    plane.recorder.fail(Failing::Commit);
    for path in ["events", "events?after=1", "events/live", "events/live?after=1", "recording"] {
        let refused = plane.refused(Method::GET, "auditor", &format!("{ONE}/{path}"), None).await;
        assert_eq!(refused, (503, "audit-failed".into()), "{path}");
    }
}
