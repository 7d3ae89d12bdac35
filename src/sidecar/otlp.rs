//! Metrics, traces and logs to an OpenTelemetry collector, as OTLP over gRPC (port 4317) or over
//! HTTP in its JSON form (port 4318): names, times, counts and reasons.

mod wire;

use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, timeout};
use tracing::Level;

use self::wire::{Message, WireField};
use super::health::{Health, Span};
use super::metrics::figures;
use crate::base::failure::Failure;
use crate::base::metric::{Figure, MetricKind};
use crate::config::Collector;
use crate::net::{Post, calls, post};
use crate::process::records::{self, Record};
use crate::process::time_limit::any_number;

/// Time between two reports to a collector.
const EVERY: Duration = Duration::from_secs(15);

/// How long a collector may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a collector may take at the end of the process.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// The path of a message over HTTP, and its method in gRPC.
type Signal = (&'static str, &'static str);
const OF_METRICS: Signal = (
    "/v1/metrics",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
);
const OF_TRACES: Signal = (
    "/v1/traces",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
);
const OF_LOGS: Signal = (
    "/v1/logs",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
);

/// From now on passes and log records are kept for a collector.
pub fn start(health: &Health) {
    started();
    health.record_spans();
    records::keep();
}

/// When counting began: a new configuration does not reset it.
fn started() -> Timestamp {
    static STARTED: OnceLock<Timestamp> = OnceLock::new();
    *STARTED.get_or_init(Timestamp::now)
}

/// Reports to a collector for ever. An unreachable collector is logged once. Log records wait for
/// it; passes do not.
pub async fn export(collector: Option<&Collector>, health: &Health) {
    let Some(collector) = collector else {
        return std::future::pending().await;
    };
    let mut away = false;
    loop {
        tokio::time::sleep(EVERY).await;
        let told = tell_all(collector, health, LIMIT).await;
        match &told {
            Err(failure) if !away => not_told(failure),
            Ok(()) if away => tracing::info!("the collector is told again"),
            Ok(()) | Err(_) => {}
        }
        away = told.is_err();
    }
}

/// Sends the remaining data to a collector before the process ends. This delays the end by two
/// seconds at most, and its failure has no effect.
pub async fn tell_last(collector: &Collector, health: &Health) {
    let told = timeout(LAST_LIMIT, tell_all(collector, health, LAST_LIMIT)).await;
    match told {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => not_told(&failure),
        Err(_) => tracing::warn!(reason = "it did not answer in time", "{NOT_TOLD}"),
    }
}

const NOT_TOLD: &str = "the collector is not told";

fn not_told(failure: &Failure) {
    tracing::warn!(reason = %failure.what, "{NOT_TOLD}");
}

async fn tell_all(collector: &Collector, health: &Health, limit: Duration) -> Result<(), Failure> {
    let (spans, records) = (health.take_spans(), records::take_all());
    let mut messages = vec![(OF_METRICS, metrics(figures(health), Timestamp::now()))];
    if !spans.is_empty() {
        messages.push((OF_TRACES, traces(&spans)));
    }
    // Records are sent last: if an earlier message is refused, no record was sent.
    if !records.is_empty() {
        messages.push((OF_LOGS, logs(&records)));
    }
    let told = send(collector, &messages, limit).await;
    if told.is_err() {
        records::give_back(records);
    }
    told
}

async fn send(
    collector: &Collector,
    messages: &[(Signal, Message)],
    limit: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + limit;
    match collector {
        Collector::Grpc(address) => {
            let messages = messages
                .iter()
                .map(|((_, method), message)| (*method, message.protobuf()));
            calls(address, messages.collect(), deadline).await
        }
        Collector::Http(address) => {
            for ((path, _), message) in messages {
                let message = Post {
                    url: format!("{address}{path}"),
                    ca_file: None,
                    body: message.json().to_string(),
                    signature: None,
                    // Nothing in it is secret, and collectors in a cluster often have no
                    // certificate.
                    allow_plaintext: true,
                };
                post(message, deadline).await?;
            }
            Ok(())
        }
    }
}

/// An `ExportMetricsServiceRequest`.
fn metrics(figures: Vec<Figure>, now: Timestamp) -> Message {
    let metrics = figures.iter().map(|figure| {
        let points = figure.values.iter().map(|(labels, value)| {
            let attributes = labels.iter();
            let attributes = attributes.map(|(key, value)| attribute(key, value));
            Message::default()
                .with(2, "startTimeUnixNano", nanos(started()))
                .with(3, "timeUnixNano", nanos(now))
                .with(4, "asDouble", WireField::Double(*value))
                .with(7, "attributes", WireField::Many(attributes.collect()))
        });
        let data = Message::default().with(1, "dataPoints", WireField::Many(points.collect()));
        let metric = Message::default().with(1, "name", text(figure.name)).with(
            2,
            "description",
            text(figure.meaning),
        );
        match figure.kind {
            MetricKind::Counter => {
                // Totals count since the start.
                let data = data
                    .with(2, "aggregationTemporality", WireField::Enum(2))
                    .with(3, "isMonotonic", WireField::Truth(true));
                metric.with(7, "sum", WireField::One(data))
            }
            MetricKind::Gauge => metric.with(5, "gauge", WireField::One(data)),
        }
    });
    let scoped = scoped("metrics", metrics.collect());
    request("resourceMetrics", "scopeMetrics", scoped)
}

/// An `ExportTraceServiceRequest`: a span per pass.
fn traces(spans: &[Span]) -> Message {
    let spans = spans.iter().map(|span| {
        let [high, low, own] = span.ids.map(u64::to_be_bytes);
        let mut attributes = vec![attribute("keyferry.deliveries", &span.deliveries)];
        attributes.extend(
            span.class
                .map(|class| attribute("keyferry.failure.class", class.word())),
        );
        // The protocol's numbers for error and OK.
        let status = WireField::Enum(if span.class.is_some() { 2 } else { 1 });
        Message::default()
            .with(1, "traceId", WireField::Id([high, low].concat()))
            .with(2, "spanId", WireField::Id(own.to_vec()))
            .with(5, "name", text("pass"))
            .with(6, "kind", WireField::Enum(1))
            .with(7, "startTimeUnixNano", nanos(span.begun))
            .with(8, "endTimeUnixNano", nanos(span.ended))
            .with(9, "attributes", WireField::Many(attributes))
            .with(
                15,
                "status",
                WireField::One(Message::default().with(3, "code", status)),
            )
    });
    let scoped = scoped("spans", spans.collect());
    request("resourceSpans", "scopeSpans", scoped)
}

/// An `ExportLogsServiceRequest`.
fn logs(records: &[Record]) -> Message {
    let records = records.iter().map(|record| {
        let attributes = record.attributes.iter();
        let attributes = attributes.map(|(name, value)| attribute(name, value));
        let body = Message::default().with(1, "stringValue", text(&record.message));
        Message::default()
            .with(1, "timeUnixNano", nanos(record.at))
            .with(2, "severityNumber", WireField::Enum(severity(record.level)))
            .with(3, "severityText", text(record.level.as_str()))
            .with(5, "body", WireField::One(body))
            .with(6, "attributes", WireField::Many(attributes.collect()))
            .with(11, "observedTimeUnixNano", nanos(record.at))
    });
    let scoped = scoped("logRecords", records.collect());
    request("resourceLogs", "scopeLogs", scoped)
}

/// The number of a level in the protocol.
fn severity(level: Level) -> u64 {
    match level {
        Level::TRACE => 1,
        Level::DEBUG => 5,
        Level::INFO => 9,
        Level::WARN => 13,
        Level::ERROR => 17,
    }
}

/// All requests have the same structure, down to the field numbers.
fn request(resources: &'static str, scopes: &'static str, scoped: Message) -> Message {
    let attributes = vec![
        attribute("service.name", "keyferry"),
        attribute("service.version", env!("CARGO_PKG_VERSION")),
        attribute("service.instance.id", instance()),
    ];
    let resource = Message::default().with(1, "attributes", WireField::Many(attributes));
    let told = Message::default()
        .with(1, "resource", WireField::One(resource))
        .with(2, scopes, WireField::Many(vec![scoped]));
    Message::default().with(1, resources, WireField::Many(vec![told]))
}

/// Identifies the process among many; each start gives another id.
fn instance() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| format!("{:016x}{:016x}", any_number(), any_number()))
}

fn scoped(name: &'static str, what: Vec<Message>) -> Message {
    let scope = Message::default().with(1, "name", text("keyferry")).with(
        2,
        "version",
        text(env!("CARGO_PKG_VERSION")),
    );
    Message::default()
        .with(1, "scope", WireField::One(scope))
        .with(2, name, WireField::Many(what))
}

fn attribute(key: &str, value: &str) -> Message {
    let value = Message::default().with(1, "stringValue", text(value));
    Message::default()
        .with(1, "key", text(key))
        .with(2, "value", WireField::One(value))
}

fn text(text: &str) -> WireField {
    WireField::Text(text.to_owned())
}

/// No event of ours is before 1970.
fn nanos(at: Timestamp) -> WireField {
    WireField::Fixed(u64::try_from(at.as_nanosecond()).unwrap_or_default())
}
