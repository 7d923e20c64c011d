//! The admin listener: `/metrics`, `/healthz` and `/readyz`. It can change nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::Metrics;

/// Prometheus's own name for its text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4";

/// Whether the gate takes new clients.
#[derive(Debug, Default)]
pub struct Health {
    ready: AtomicBool,
}

impl Health {
    /// Says whether it does, from now on.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

/// The admin listener, bound and not yet serving.
pub struct Admin {
    listener: TcpListener,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Admin {
    /// Binds the address.
    pub async fn bind(address: SocketAddr, metrics: Arc<Metrics>, health: Arc<Health>) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, metrics, health })
    }

    /// The bound address.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn serve(self) {
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .with_state(self.metrics)
            .route("/healthz", get(|| async { "ok\n" }))
            .merge(Router::new().route("/readyz", get(ready)).with_state(self.health));
        if let Err(why) = axum::serve(self.listener, routes).await {
            tracing::error!(error = %why, "the admin listener ended");
        }
    }
}

async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response(),
    }
}

async fn ready(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if health.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not taking new clients\n")
    }
}
