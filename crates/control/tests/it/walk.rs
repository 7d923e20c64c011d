//! The walk: every route of the table, as nobody, as somebody to whom nothing is permitted, and as
//! somebody who may. A route that is new has to say here who that is.

use portcullis_control::api::routes::{Needs, Route, table};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::archive::opened;
use crate::{Plane, identity};

/// Who may call a route, with what.
struct Expected {
    right: &'static str,
    body: Option<Value>,
}

/// What is expected of each route of the table.
fn expected(method: &Method, path: &str) -> Expected {
    let reason = || Some(json!({ "reason": "a walk" }));
    match (method.as_str(), path) {
        ("GET", "/asks/{id}") => Expected { right: "", body: None },
        ("GET", "/v1/me" | "/v1/tunnel/{target}") => Expected { right: "eve", body: None },
        ("GET", "/v1/asks" | "/v1/asks/{id}") => Expected { right: "dana", body: None },
        ("POST", "/v1/asks/{id}/approve" | "/v1/asks/{id}/deny" | "/v1/asks/{id}/revoke") => {
            Expected { right: "dana", body: reason() }
        }
        (
            "GET",
            "/v1/sessions"
            | "/v1/sessions/live"
            | "/v1/sessions/{id}"
            | "/v1/sessions/{id}/events"
            | "/v1/sessions/{id}/events/live"
            | "/v1/operations",
        ) => Expected { right: "auditor", body: None },
        ("POST", "/v1/sessions/{id}/terminate") => Expected { right: "operator", body: reason() },
        ("GET", "/v1/audit") => Expected { right: "operator", body: None },
        ("POST", "/v1/revocations") => Expected { right: "operator", body: Some(json!({ "session": "none" })) },
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
        let Expected { right, body } = expected(method, path);
        let _live = plane.sessions.enter("gate-0000000001", &identity("eve", "eve@example.com", &[]), None);
        plane.archive.write(1, [opened(1, "eve", "shop")]);
        plane.indexed(1).await;
        let id = if path.starts_with("/v1/sessions") { "gate-0000000001" } else { &id };
        let at = format!("http://{}{}", plane.address, path.replace("{id}", id).replace("{target}", "shop"));
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
        let well = call(right).await;
        assert!(well.is_success() || well == StatusCode::SWITCHING_PROTOCOLS, "{shown} as `{right}`: {well}");
    }
}
