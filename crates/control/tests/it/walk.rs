//! The walk: every route of the table, as nobody, as somebody to whom nothing is permitted, and as
//! somebody who may. A route that is new has to say here who that is.

use portcullis_control::api::routes::{Needs, Route, table};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::archive::opened;
use crate::policies::question;
use crate::{Plane, identity};

/// Who may call a route, with what, and how it answers them.
struct Expected {
    right: &'static str,
    query: &'static str,
    body: Option<Value>,
    status: u16,
}

impl Expected {
    const fn of(right: &'static str) -> Self {
        Self { right, query: "", body: None, status: 200 }
    }
}

/// What is expected of each route of the table.
fn expected(method: &Method, path: &str) -> Expected {
    let reason = || Some(json!({ "reason": "a walk" }));
    match (method.as_str(), path) {
        ("GET", "/v1/issuers" | "/openapi.json") => Expected::of(""),
        ("GET", "/login") => Expected { query: "?issuer=okta", status: 303, ..Expected::of("") },
        // What was not begun here is not ended here, whoever comes with it.
        ("GET", "/login/callback") => Expected { status: 400, ..Expected::of("") },
        ("POST", "/logout") => Expected { status: 204, ..Expected::of("eve") },
        ("GET", "/v1/tunnel/{target}") => Expected { status: 101, ..Expected::of("eve") },
        ("GET", "/v1/me" | "/v1/asks/live") => Expected::of("eve"),
        ("GET", "/v1/asks" | "/v1/asks/{id}") => Expected::of("dana"),
        ("POST", "/v1/asks/{id}/approve" | "/v1/asks/{id}/deny" | "/v1/asks/{id}/revoke") => {
            Expected { body: reason(), ..Expected::of("dana") }
        }
        (
            "GET",
            "/v1/sessions"
            | "/v1/sessions/live"
            | "/v1/sessions/{id}"
            | "/v1/sessions/{id}/events"
            | "/v1/sessions/{id}/events/live"
            | "/v1/sessions/{id}/recording"
            | "/v1/operations",
        ) => Expected::of("auditor"),
        ("POST", "/v1/sessions/{id}/terminate") => Expected { body: reason(), ..Expected::of("operator") },
        ("GET", "/v1/policies" | "/v1/health") => Expected::of("operator"),
        ("GET", "/v1/targets") => Expected::of("auditor"),
        ("POST", "/v1/policies/validate" | "/v1/policies/replay") => {
            Expected { body: Some(json!({ "files": [] })), ..Expected::of("operator") }
        }
        ("POST", "/v1/policies/explain") => Expected { body: Some(question()), ..Expected::of("operator") },
        ("GET", "/v1/audit") => Expected::of("operator"),
        ("POST", "/v1/tickets") => Expected { body: Some(json!({ "target": "shop" })), ..Expected::of("operator") },
        ("POST", "/v1/revocations") => {
            Expected { body: Some(json!({ "session": "none" })), ..Expected::of("operator") }
        }
        (method, path) => panic!("the walk does not know `{method} {path}`: say who may call it"),
    }
}

#[tokio::test]
async fn every_route_asks_who_it_is_and_whether_they_may() {
    let routes = table();
    assert!(routes.len() >= 8);
    for Route { method, path, needs, .. } in &routes {
        // An ask for each, for some end theirs.
        let plane = Plane::start().await;
        let (id, _waiting) = plane.asked(1, 1).await;
        let Expected { right, query, body, status } = expected(method, path);
        let _live = plane.sessions.enter("gate-0000000001", &identity("eve", "eve@example.com", &[]), None);
        plane.archive.write(1, [opened(1, "eve", "shop")]);
        plane.indexed(1).await;
        let id = if path.starts_with("/v1/sessions") { "gate-0000000001" } else { &id };
        let filled = path.replace("{id}", id).replace("{target}", "shop");
        let at = format!("http://{}{filled}{query}", plane.address);
        let call = async |token: &str| {
            let mut request = plane.client.request(method.clone(), &at);
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            if let Some(body) = &body {
                request = request.json(body);
            }
            if path.contains("{target}") {
                request = request.header("connection", "upgrade").header("upgrade", "portcullis");
            }
            request.send().await.unwrap().status()
        };
        let shown = format!("{method} {path}");
        if *needs != Needs::Nothing {
            assert_eq!(call("").await, StatusCode::UNAUTHORIZED, "{shown} as nobody");
            assert_eq!(call("forged").await, StatusCode::UNAUTHORIZED, "{shown} with a forged token");
        }
        if matches!(needs, Needs::Permit(_)) || path.contains("{id}") && *needs == Needs::Identity {
            let refused = call("eve").await;
            let hidden = refused == StatusCode::FORBIDDEN || refused == StatusCode::NOT_FOUND;
            assert!(hidden, "{shown} as somebody to whom nothing is permitted: {refused}");
        }
        assert_eq!(call(right).await.as_u16(), status, "{shown} as `{right}`");
    }
}
