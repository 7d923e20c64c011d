//! The web page: which file of the built UI answers a request, and under which headers. It knows
//! nothing of what the page shows, and who is signed in is no concern of its files.
//!
//! The UI is embedded where it was built before the gate (`cargo xtask ui`); without it there is a
//! page that says so, and everything else works.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// What the page may do: run its own scripts, talk to its own origin, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

/// The terminal player is WebAssembly, so the replay, and nothing but it, may compile that.
const REPLAY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                             connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; \
                             form-action 'self'; frame-ancestors 'none'";

/// Hashed files never change under their name.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Where the page itself answers: the routes that its own router knows.
const PAGES: [&str; 12] = [
    "/",
    "/sign-in",
    "/asks",
    "/asks/{id}",
    "/live",
    "/sessions",
    "/sessions/{id}",
    "/operations",
    "/policies",
    "/targets",
    "/audit",
    "/health",
];

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Portcullis</title>\
    <h1>The web page is not part of this build</h1>\
    <p>Build it with <code>cargo xtask ui</code>, then build the gate again. Until then everything can be done \
    in a terminal: <code>portcullis asks</code>, <code>portcullis show</code>, <code>portcullis approve</code>, \
    <code>portcullis deny</code>.</p></html>\n";

#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Built;

/// The routes of the page and its files. Paths that are not here are left to others.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let router = PAGES.iter().fold(Router::new(), |router, path| router.route(path, get(index)));
    router
        .route("/sessions/{id}/replay", get(replay))
        .route("/assets/{name}", get(asset))
        .route("/favicon.svg", get(|asked: HeaderMap| async move { file(&asked, "favicon.svg", "no-cache") }))
}

async fn index(asked: HeaderMap) -> Response {
    document(&asked, POLICY)
}

async fn replay(asked: HeaderMap) -> Response {
    document(&asked, REPLAY_POLICY)
}

async fn asset(Path(name): Path<String>, asked: HeaderMap) -> Response {
    file(&asked, &format!("assets/{name}"), FOREVER)
}

fn document(asked: &HeaderMap, policy: &'static str) -> Response {
    let mut response = if Built::get("index.html").is_some() {
        file(asked, "index.html", "no-cache")
    } else {
        with_headers(Body::from(NOT_BUILT), "text/html; charset=utf-8", "no-cache")
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn file(asked: &HeaderMap, name: &str, cache: &'static str) -> Response {
    // What was compressed is served as its plain file's encoding, never under its own name.
    let Some(kind) = kind_of(name) else { return nothing_here() };
    let Some((file, encoding)) = compressed(asked, name).or_else(|| Some((Built::get(name)?, None))) else {
        return nothing_here();
    };
    let bytes = Bytes::from_owner(file.data);
    let mut response = with_headers(Body::from(bytes), kind, cache);
    if let Some(encoding) = encoding {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

fn compressed(asked: &HeaderMap, name: &str) -> Option<(EmbeddedFile, Option<&'static str>)> {
    [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(encoding, ending)| {
        accepts(asked, encoding)
            .then(|| Built::get(&format!("{name}.{ending}")))
            .flatten()
            .map(|file| (file, Some(encoding)))
    })
}

/// Whether a client takes an encoding (RFC 9110, section 12.5.3); one with `q=0` it does not.
fn accepts(asked: &HeaderMap, encoding: &str) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
        named && weight.is_some_and(|weight| weight > 0.0)
    })
}

fn kind_of(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        _ => return None,
    })
}

fn with_headers(body: Body, kind: &'static str, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "there is nothing here\n").into_response()
}

#[cfg(test)]
mod tests;
