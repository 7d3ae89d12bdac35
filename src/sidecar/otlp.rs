//! Metrics and traces to an OpenTelemetry collector, as OTLP over HTTP in its JSON form (port 4318): names, times and counts.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::board::{Board, Span};
use super::metrics::{METRICS, samples};
use crate::vault::{Post, post};

/// How often is told.
const EVERY: Duration = Duration::from_secs(15);

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells a collector, for ever. One that is away is told of once, and what it missed is not kept.
pub async fn export(endpoint: Option<&str>, board: &Board) {
    let Some(endpoint) = endpoint else {
        return std::future::pending().await;
    };
    let started = Timestamp::now();
    let mut away = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let spans = board.take_spans();
        let mut told = send(
            endpoint,
            "metrics",
            metrics(board, started, Timestamp::now()),
        )
        .await;
        if !spans.is_empty() {
            told = told.and(send(endpoint, "traces", traces(&spans)).await);
        }
        match &told {
            Err(failure) if !away => {
                tracing::warn!(reason = %failure.what, "the collector is not told")
            }
            Ok(()) if away => tracing::info!("the collector is told again"),
            Ok(()) | Err(_) => {}
        }
        away = told.is_err();
    }
}

async fn send(endpoint: &str, signal: &str, body: Value) -> Result<(), crate::report::Failure> {
    let message = Post {
        url: format!("{endpoint}/v1/{signal}"),
        ca_file: None,
        body: body.to_string(),
        signature: None,
        // Nothing in it is secret, and collectors in a cluster often have no certificate.
        allow_plaintext: true,
    };
    post(message, Instant::now() + PATIENCE).await
}

/// An `ExportMetricsServiceRequest`.
fn metrics(board: &Board, started: Timestamp, now: Timestamp) -> Value {
    let samples = samples(board);
    let metrics = METRICS.iter().map(|(name, kind, meaning)| {
        let points: Vec<Value> = samples
            .iter()
            .filter(|sample| sample.name == *name)
            .map(|sample| {
                json!({
                    "attributes": sample.labels.iter().map(|(key, value)| text(key, value)).collect::<Vec<_>>(),
                    "startTimeUnixNano": nanos(started),
                    "timeUnixNano": nanos(now),
                    "asDouble": sample.value,
                })
            })
            .collect();
        let mut metric = json!({"name": name, "description": meaning});
        match *kind {
            "counter" => {
                metric["sum"] = json!({"dataPoints": points, "aggregationTemporality": 2, "isMonotonic": true});
            }
            _ => metric["gauge"] = json!({"dataPoints": points}),
        }
        metric
    });
    json!({"resourceMetrics": [{
        "resource": resource(),
        "scopeMetrics": [{"scope": scope(), "metrics": metrics.collect::<Vec<_>>()}],
    }]})
}

/// An `ExportTraceServiceRequest`: a span per pass.
fn traces(spans: &[Span]) -> Value {
    let spans = spans.iter().map(|span| {
        let mut attributes = vec![text("keyferry.deliveries", &span.deliveries)];
        attributes.extend(
            span.class
                .map(|class| text("keyferry.failure.class", class.word())),
        );
        json!({
            "traceId": format!("{:016x}{:016x}", span.ids[0], span.ids[1]),
            "spanId": format!("{:016x}", span.ids[2]),
            "name": "pass",
            "kind": 1,
            "startTimeUnixNano": nanos(span.begun),
            "endTimeUnixNano": nanos(span.ended),
            "attributes": attributes,
            "status": {"code": if span.class.is_some() { 2 } else { 1 }},
        })
    });
    json!({"resourceSpans": [{
        "resource": resource(),
        "scopeSpans": [{"scope": scope(), "spans": spans.collect::<Vec<_>>()}],
    }]})
}

fn resource() -> Value {
    json!({"attributes": [
        text("service.name", "keyferry"),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ]})
}

fn scope() -> Value {
    json!({"name": "keyferry", "version": env!("CARGO_PKG_VERSION")})
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// 64-bit numbers are text in this form.
fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().to_string()
}
