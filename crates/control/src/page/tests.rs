//! The page's files as a browser gets them. They hold with the UI built and without it; what is built
//! is walked through file by file.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::{Built, POLICY, REPLAY_POLICY, accepts, asset, index, replay, routes};

fn asking(encodings: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings))])
}

fn said(response: &Response, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn served() -> std::net::SocketAddr {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let router = routes::<()>().fallback(|| async { (StatusCode::NOT_FOUND, "others") });
    tokio::spawn(async move { axum::serve(socket, router).await });
    address
}

#[tokio::test]
async fn every_page_answers_and_what_is_no_page_is_left_to_others() {
    let address = served().await;
    for path in
        ["/", "/sign-in", "/asks", "/asks/a1", "/live", "/sessions", "/sessions/s1", "/sessions/s1/replay", "/health"]
    {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
    }
    for path in ["/v1/nothing", "/nothing", "/sessions/s1/other", "/assets/a/b"] {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (404, "others"), "{path}");
    }
}

#[tokio::test]
async fn only_the_replay_may_compile_webassembly() {
    let (page, player) = (index(HeaderMap::new()).await, replay(HeaderMap::new()).await);
    assert_eq!(said(&page, header::CONTENT_SECURITY_POLICY), POLICY);
    assert_eq!(said(&player, header::CONTENT_SECURITY_POLICY), REPLAY_POLICY);
    assert_eq!(REPLAY_POLICY.replace(" 'wasm-unsafe-eval'", ""), POLICY);
    assert_eq!(said(&page, header::CACHE_CONTROL), "no-cache");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_cached() {
    let answer = asset(axum::extract::Path(String::from("../index.html")), HeaderMap::new()).await;
    assert_eq!((answer.status(), said(&answer, header::CACHE_CONTROL)), (StatusCode::NOT_FOUND, "no-store"));
}

#[tokio::test]
async fn every_built_file_is_served_in_the_encoding_that_is_asked_for() {
    for name in Built::iter().filter(|name| name.starts_with("assets/")) {
        let Some(short) = name.strip_prefix("assets/").filter(|name| name.ends_with(".js") || name.ends_with(".css"))
        else {
            continue;
        };
        for (asked, encoding) in [("gzip, br", "br"), ("gzip", "gzip"), ("identity", ""), ("br;q=0", "")] {
            let answer = asset(axum::extract::Path(short.to_owned()), asking(asked)).await;
            assert_eq!(
                (answer.status(), said(&answer, header::CONTENT_ENCODING)),
                (StatusCode::OK, encoding),
                "{name}"
            );
            assert!(said(&answer, header::CACHE_CONTROL).contains("immutable"), "{name}");
        }
    }
}

#[test]
fn an_encoding_that_is_refused_is_not_sent() {
    assert!(accepts(&asking("gzip;q=0.5, br"), "br"));
    assert!(accepts(&asking("GZIP;q=0.5"), "gzip"));
    assert!(!accepts(&asking("br;q=0"), "br"));
    assert!(!accepts(&asking("brotli"), "br"));
    assert!(!accepts(&HeaderMap::new(), "br"));
}
