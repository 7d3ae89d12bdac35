//! A real OpenTelemetry collector: what it understood of each way to tell it, read from the files
//! that it writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keyferry::sidecar::metrics;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Text;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use serde::de::DeserializeOwned;

use crate::support::process::{
    Scratch, Server, eventually, first_that_starts, free_ports, ready, text,
};
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, age, age_key, replace};
use crate::support::tls::Authority;
use crate::support::tools;

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

/// The first telling comes after 15 s.
const TOLD: Duration = Duration::from_secs(60);

struct Collector {
    server: Server,
    scratch: Scratch,
    /// gRPC, gRPC in TLS, HTTP.
    addresses: [String; 3],
}

impl Collector {
    fn start() -> Self {
        first_that_starts("otelcol", Self::attempt).unwrap_or_else(|why| panic!("{why}"))
    }

    fn attempt() -> Result<Self, String> {
        let scratch = Scratch::new("collector");
        let authority = Authority::new();
        let identity = authority.issue(&["localhost"]);
        scratch.write("ca.crt", authority.pem());
        scratch.write("server.crt", &identity.certificate);
        scratch.write("server.key", &identity.key);
        let [grpc, grpcs, http] = free_ports();
        let config = format!(
            r"receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpc}'}}, http: {{endpoint: '127.0.0.1:{http}'}}}}}}
  otlp/tls: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{grpcs}', tls: {{cert_file: server.crt, key_file: server.key}}}}}}}}
exporters:
  file/metrics: {{path: metrics.json, flush_interval: 100ms}}
  file/traces: {{path: traces.json, flush_interval: 100ms}}
  file/logs: {{path: logs.json, flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [otlp, otlp/tls], exporters: [file/metrics]}}
    traces: {{receivers: [otlp, otlp/tls], exporters: [file/traces]}}
    logs: {{receivers: [otlp, otlp/tls], exporters: [file/logs]}}
"
        );
        scratch.write("otelcol.yaml", config);
        let mut command = Command::new(tools::otelcol());
        command
            .args(["--config", "file:otelcol.yaml"])
            .current_dir(scratch.path())
            .env_clear();
        let server = Server::start("otelcol", command, scratch.path());
        let limit = Duration::from_secs(60);
        ready(&server, limit, || {
            server.log().contains("Everything is ready")
        })?;
        fs::metadata(scratch.path().join("metrics.json")).map_err(text)?;
        Ok(Self {
            server,
            scratch,
            addresses: [
                format!("grpc://127.0.0.1:{grpc}"),
                format!("grpcs://localhost:{grpcs}"),
                format!("http://127.0.0.1:{http}"),
            ],
        })
    }

    /// All that was written of one kind: a message a line.
    fn told<T: DeserializeOwned>(&self, file: &str) -> Vec<T> {
        let all = fs::read_to_string(self.scratch.path().join(file)).unwrap_or_default();
        assert!(!all.contains("c4nary"), "{file} holds a value");
        // The last line may be half written.
        let lines = all
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let messages = lines.map(|line| serde_json::from_str(line).unwrap());
        messages.collect()
    }
}

/// A sidecar whose only delivery has this name.
fn sidecar(folder: &Path, name: &str, collector: &Collector, address: &str) -> RunningSidecar {
    let config = config(name, address);
    let roots = collector.scratch.path().join("ca.crt");
    put(folder, VALUE);
    RunningSidecar::start_with(folder, &config, |run| run.env("SSL_CERT_FILE", roots))
}

fn config(name: &str, address: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{otlp: '{address}'}}\ndeliveries:\n- \
         {{name: {name}, from: [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n",
        age_key().display()
    )
}

fn put(folder: &Path, value: &str) {
    let file = age(&format!("PASSWORD={value}\n"));
    replace(&folder.join("app.env.age"), &file);
}

fn has(attributes: &[KeyValue], key: &str, value: &str) -> bool {
    let value = Some(Text::StringValue(value.to_owned()));
    attributes.iter().any(|attribute| {
        let AnyValue { value: found } = attribute.value.clone().unwrap_or_default();
        attribute.key == key && found == value
    })
}

/// The last point of a metric in messages about this delivery, and whether it is a total.
fn point(
    told: &[ExportMetricsServiceRequest],
    metric: &str,
    delivery: &str,
) -> Option<(NumberDataPoint, bool)> {
    let all = told.iter().rev();
    let metrics = all.flat_map(|message| &message.resource_metrics[0].scope_metrics[0].metrics);
    let points = metrics
        .filter(|found| found.name == metric)
        .flat_map(|found| {
            let (points, total) = match &found.data {
                Some(Data::Gauge(gauge)) => (&gauge.data_points, false),
                Some(Data::Sum(sum)) => {
                    assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true));
                    (&sum.data_points, true)
                }
                other => panic!("{other:?}"),
            };
            points.iter().map(move |point| (point.clone(), total))
        });
    let mut ours = points.filter(|(point, _)| has(&point.attributes, "delivery", delivery));
    ours.next()
}

#[test]
fn a_real_collector_understands_each_way_to_tell_it() {
    let collector = Collector::start();
    let names = ["over-grpc", "over-grpcs", "over-http"];
    let sidecars: Vec<_> = std::iter::zip(names, &collector.addresses)
        .map(|(name, address)| {
            let folder = tempfile::tempdir().unwrap();
            let sidecar = sidecar(folder.path(), name, &collector, address);
            sidecar.ready();
            put(folder.path(), OTHER);
            (name, sidecar, folder)
        })
        .collect();
    for (name, _, _) in &sidecars {
        eventually("two changes are told", TOLD, || {
            assert!(collector.server.alive(), "{}", collector.server.log_tail());
            let told = collector.told("metrics.json");
            let changes = point(&told, "keyferry_delivery_changes_total", name);
            changes.is_some_and(|(point, total)| total && point.value == Some(Value::AsDouble(2.0)))
        });
        let told = collector.told("metrics.json");
        let (ready, total) = point(&told, "keyferry_delivery_ready", name).unwrap();
        assert_eq!((ready.value, total), (Some(Value::AsDouble(1.0)), false));
        assert!(ready.start_time_unix_nano <= ready.time_unix_nano);
        assert!(ready.start_time_unix_nano > 1_700_000_000_000_000_000);
        spans(&collector, name);
        logged(&collector, name, 9, "updated");
    }
    let told: Vec<ExportMetricsServiceRequest> = collector.told("metrics.json");
    let mut instances = BTreeSet::new();
    for message in &told {
        let [of] = message.resource_metrics.as_slice() else {
            panic!("{message:?}");
        };
        let resource = &of.resource.as_ref().unwrap().attributes;
        assert!(has(resource, "service.name", "keyferry"));
        let own = resource.iter().find(|one| one.key == "service.instance.id");
        instances.insert(format!("{:?}", own.expect("an instance").value));
        let found = of.scope_metrics[0].metrics.iter();
        let found: Vec<&str> = found.map(|metric| metric.name.as_str()).collect();
        let ours: Vec<&str> = metrics::names().collect();
        assert_eq!(found, ours);
    }
    assert_eq!(
        instances.len(),
        sidecars.len(),
        "each is one of its own: {instances:?}"
    );
    for (name, sidecar, _) in sidecars {
        let said = sidecar.end().expect(0).stderr;
        assert!(
            !said.contains("the collector is not told"),
            "{name}: {said}"
        );
    }
}

/// Waits until the collector has a log record of this delivery.
fn logged(collector: &Collector, delivery: &str, severity: i32, message: &str) {
    eventually("the log is told", TOLD, || {
        let told: Vec<ExportLogsServiceRequest> = collector.told("logs.json");
        let all = told.into_iter().flat_map(|message| message.resource_logs);
        let mut all = all
            .flat_map(|of| of.scope_logs)
            .flat_map(|of| of.log_records);
        all.any(|record| {
            let body = Some(AnyValue {
                value: Some(Text::StringValue(message.to_owned())),
            });
            record.severity_number == severity
                && record.body == body
                && has(&record.attributes, "delivery", delivery)
        })
    });
}

#[test]
fn a_real_collector_is_told_of_a_job_before_it_ends() {
    let collector = Collector::start();
    let names = ["job-over-grpc", "job-over-grpcs", "job-over-http"];
    for (name, address) in std::iter::zip(names, &collector.addresses) {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), VALUE);
        fs::write(folder.path().join("keyferry.yaml"), config(name, address)).unwrap();
        let run = || {
            let run = keyferry().dir(folder.path()).args(["job"]);
            run.env("SSL_CERT_FILE", collector.scratch.path().join("ca.crt"))
                .run()
        };
        run().expect(0);
        logged(&collector, name, 9, "created");
        fs::remove_file(folder.path().join("app.env.age")).unwrap();
        run().expect(4);
        logged(&collector, name, 17, "failed");
    }
}

fn spans(collector: &Collector, delivery: &str) {
    let ours = || {
        let told: Vec<ExportTraceServiceRequest> = collector.told("traces.json");
        let all = told.into_iter().flat_map(|message| message.resource_spans);
        let all = all.flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
        all.filter(|span| has(&span.attributes, "keyferry.deliveries", delivery))
            .collect::<Vec<_>>()
    };
    eventually("both passes are told", TOLD, || ours().len() >= 2);
    for span in ours() {
        assert_eq!(span.name, "pass");
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert_eq!((span.kind, span.status.unwrap_or_default().code), (1, 1));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
}
