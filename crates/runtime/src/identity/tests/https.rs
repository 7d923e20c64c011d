//! An issuer behind TLS: trusted through `ca`, and not otherwise.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Serves discovery and the keys of `issuer` over TLS until dropped; returns its URL and its CA.
async fn behind_tls(issuer: &Issuer, keys_at: Option<&str>) -> (String, String, tokio::task::JoinHandle<()>) {
    let made = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let keys_at = keys_at.map_or_else(|| format!("{url}/keys"), str::to_owned);
    let discovery = json!({ "issuer": url, "jwks_uri": keys_at }).to_string();
    let keys = issuer.key_set().to_string();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let body = if request[..read].starts_with(b"GET /keys") { &keys } else { &discovery };
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            // The client may have gone; its own test will say so.
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, made.cert.pem(), serving)
}

#[tokio::test]
async fn an_https_issuer_is_trusted_through_its_authority_alone() {
    let issuer = Issuer::start().await.unwrap();
    let (url, ca, serving) = behind_tls(&issuer, None).await;
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (dir.path().join("own.pem"), dir.path().join("other.pem"));
    std::fs::write(&own, ca).unwrap();
    let stranger = rcgen::generate_simple_self_signed([String::from("localhost")]).unwrap();
    std::fs::write(&other, stranger.cert.pem()).unwrap();
    let gate = |ca: &Path| Oidc::new(vec![config(&url, json!({ "ca": ca }))], None, Held::now()).unwrap();
    let token = issuer.mint(&alice().set("iss", url.as_str()));
    assert_eq!(identify(&gate(&own), &token).await.unwrap().issuer, url);
    assert!(unavailable(&gate(&other), &token).await.contains("certificate"));
    serving.abort();
}

#[tokio::test]
async fn an_https_issuer_cannot_point_to_keys_over_http() {
    let issuer = Issuer::start().await.unwrap();
    let (url, ca, serving) = behind_tls(&issuer, Some(&format!("{}/keys", issuer.url()))).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca).unwrap();
    let gate = Oidc::new(vec![config(&url, json!({ "ca": file }))], None, Held::now()).unwrap();
    let why = unavailable(&gate, &issuer.mint(&alice().set("iss", url.as_str()))).await;
    assert!(why.contains("`jwks_uri` that is not https"), "{why}");
    serving.abort();
}
