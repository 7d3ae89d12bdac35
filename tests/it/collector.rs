//! OTLP over gRPC against a receiver that answers as told, and reads with the official types.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use h2::server::{SendResponse, handshake};
use http::{HeaderMap, HeaderValue, Response};
use keyferry::net::calls;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::support::process::eventually;
use crate::support::run::keyferry;
use crate::support::sidecar::{RunningSidecar, age, age_key, replace};
use crate::support::stub::{Reply, Stub};

const VALUE: &str = "c4nary-v4lue-one";
const OTHER: &str = "c4nary-v4lue-two";

/// What the receiver says to one call.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// A message, and a status behind it.
    Status(&'static str),
    /// A status in the head, and nothing else.
    StatusAlone(&'static str),
    /// A message without a status.
    Nothing,
    /// A status of HTTP.
    Http(u16),
    /// It resets the stream.
    Reset,
    /// It never answers.
    Silence,
}

/// Method, headers and the message of one call.
type Call = (String, HeaderMap, Vec<u8>);

/// Answers calls in turn, the last answer for ever; gives its address and what it got.
fn receiver(says: &'static [Says]) -> (String, Receiver<Call>) {
    let (send, got) = channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut next = says.iter().copied();
            let mut last = says[0];
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                for (call, answer) in served(stream, &mut || {
                    last = next.next().unwrap_or(last);
                    last
                })
                .await
                {
                    held.extend(answer);
                    if send.send(call).is_err() {
                        return;
                    }
                }
            }
        });
    });
    (address, got)
}

/// All calls of one connection.
async fn served(
    stream: TcpStream,
    says: &mut dyn FnMut() -> Says,
) -> Vec<(Call, Option<SendResponse<Bytes>>)> {
    let mut seen = Vec::new();
    let Ok(mut connection) = handshake(stream).await else {
        return seen;
    };
    while let Some(Ok((request, answer))) = connection.accept().await {
        let (head, mut body) = request.into_parts();
        // Frames arrive only while the connection is driven.
        let mut whole = std::pin::pin!(async {
            let mut message = Vec::new();
            while let Some(Ok(part)) = body.data().await {
                let _ = body.flow_control().release_capacity(part.len());
                message.extend(part);
            }
            message
        });
        let message = std::future::poll_fn(|context| {
            let _ = connection.poll_accept(context);
            whole.as_mut().poll(context)
        })
        .await;
        let held = reply(says(), answer);
        seen.push(((head.uri.path().to_owned(), head.headers, message), held));
    }
    seen
}

fn reply(says: Says, mut answer: SendResponse<Bytes>) -> Option<SendResponse<Bytes>> {
    let status = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static(value));
        headers
    };
    let empty = Bytes::from_static(&[0; 5]);
    match says {
        Says::Status(value) => {
            let mut body = answer.send_response(Response::new(()), false).unwrap();
            body.send_data(empty, false).unwrap();
            body.send_trailers(status(value)).unwrap();
        }
        Says::StatusAlone(value) => {
            let mut response = Response::new(());
            *response.headers_mut() = status(value);
            answer.send_response(response, true).unwrap();
        }
        Says::Nothing => {
            let mut body = answer.send_response(Response::new(()), false).unwrap();
            body.send_data(empty, true).unwrap();
        }
        Says::Http(code) => {
            let response = Response::builder().status(code).body(()).unwrap();
            answer.send_response(response, true).unwrap();
        }
        Says::Reset => answer.send_reset(h2::Reason::REFUSED_STREAM),
        Says::Silence => return Some(answer),
    }
    None
}

fn call(address: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let messages = vec![("/a.A/Export", vec![7; 100_000]), ("/b.B/Export", vec![8])];
        let deadline = Instant::now() + Duration::from_secs(2);
        calls(&format!("http://{address}"), messages, deadline)
            .await
            .map_err(|failure| failure.what)
    })
}

#[test]
fn the_verdict_of_a_call_is_where_grpc_puts_it() {
    let rows: [(&'static [Says], &str); 8] = [
        (&[Says::Status("0")], ""),
        (&[Says::StatusAlone("0")], ""),
        (
            &[Says::Status("0"), Says::Status("12")],
            "the receiver answered grpc-status 12 (UNIMPLEMENTED)",
        ),
        (
            &[Says::StatusAlone("16")],
            "the receiver answered grpc-status 16 (UNAUTHENTICATED)",
        ),
        (
            &[Says::Nothing],
            "the receiver answered without a grpc-status",
        ),
        (&[Says::Http(404)], "the receiver answered 404"),
        (&[Says::Reset], "the message was not taken: cannot connect"),
        (&[Says::Silence], "no whole answer within 2.0 s"),
    ];
    for (says, want) in rows {
        let (address, got) = receiver(says);
        match call(&address) {
            Ok(()) => assert_eq!(want, "", "{says:?}"),
            Err(what) => assert!(!want.is_empty() && what.contains(want), "{says:?}: {what}"),
        }
        let (method, headers, message) = got.recv().unwrap();
        assert_eq!(method, "/a.A/Export");
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["te"], "trailers");
        // Not compressed, 100 000 bytes.
        assert_eq!(message[..6], [0, 0, 1, 0x86, 0xa0, 7]);
        assert_eq!(message.len(), 100_005);
    }
}

#[test]
fn who_speaks_no_http_2_or_is_not_there_is_a_failure_with_its_reason() {
    let stub = crate::support::stub::Stub::start(|_| {
        crate::support::stub::Reply::text(200, "text/plain", "")
    });
    let what = call(stub.url().trim_start_matches("http://")).unwrap_err();
    assert!(
        what.contains("cannot connect to http://127.0.0.1"),
        "{what}"
    );
    let [port] = crate::support::process::free_ports();
    let what = call(&format!("127.0.0.1:{port}")).unwrap_err();
    assert!(what.contains("connection refused"), "{what}");
}

/// The source of the only delivery.
fn put(folder: &Path, value: &str) {
    replace(
        &folder.join("app.env.age"),
        &age(&format!("PASSWORD={value}\n")),
    );
}

/// One delivery, this collector, and more of the section `sidecar`.
fn config(collector: &str, more: &str) -> String {
    format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{otlp: '{collector}'{more}}}\ndeliveries:\n- \
         {{name: app, from: [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n",
        age_key().display()
    )
}

/// What a job is given.
fn job(folder: &Path, collector: &str) {
    put(folder, VALUE);
    std::fs::write(folder.join("keyferry.yaml"), config(collector, "")).unwrap();
}

/// The metric of this name.
fn metric<'m>(told: &'m ExportMetricsServiceRequest, name: &str) -> &'m Metric {
    let told = &told.resource_metrics[0].scope_metrics[0].metrics;
    told.iter().find(|metric| metric.name == name).unwrap()
}

#[test]
fn a_collector_that_refuses_is_told_of_once_and_told_again_when_it_takes() {
    let (address, got) = receiver(&[Says::Status("14"), Says::Status("14"), Says::Status("0")]);
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), VALUE);
    let config = config(&format!("grpc://{address}"), ", refresh: 5s");
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let limit = Duration::from_secs(90);
    let next = |method: &str| {
        let (path, _, message) = got.recv_timeout(limit).unwrap();
        assert!(path.ends_with(method), "{path}");
        message
    };
    let metrics = "metrics.v1.MetricsService/Export";
    let first = next(metrics);
    let metrics = ExportMetricsServiceRequest::decode(&first[5..]).unwrap();
    let passes = metric(&metrics, "keyferry_passes_total");
    let Some(Data::Sum(sum)) = &passes.data else {
        panic!("{passes:?}");
    };
    assert!(
        matches!(sum.data_points[0].value, Some(number_data_point::Value::AsDouble(count)) if count >= 1.0),
        "{sum:?}"
    );
    next("metrics.v1.MetricsService/Export");
    next("metrics.v1.MetricsService/Export");
    let traces = next("trace.v1.TraceService/Export");
    let traces = ExportTraceServiceRequest::decode(&traces[5..]).unwrap();
    let spans = &traces.resource_spans[0].scope_spans[0].spans;
    assert_eq!(spans[0].name, "pass");
    assert!(
        spans.len() < 8,
        "what it missed is not kept: {}",
        spans.len()
    );
    let said = sidecar.end().expect(0).stderr;
    assert_eq!(
        said.matches("the collector is not told").count(),
        1,
        "{said}"
    );
    assert!(said.contains("grpc-status 14 (UNAVAILABLE)"), "{said}");
    assert_eq!(
        said.matches("the collector is told again").count(),
        1,
        "{said}"
    );
    assert!(!said.contains("c4nary"));
}

#[test]
fn a_job_tells_its_metrics_its_span_and_its_log_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::start(|_| Reply::text(200, "application/json", "{}"));
    job(folder.path(), &stub.url());
    let run = |code: i32| {
        keyferry()
            .dir(folder.path())
            .args(["job"])
            .run()
            .expect(code)
    };
    let told = |path: &str| {
        let seen = stub.seen().into_iter();
        let last = seen.rev().find(|request| request.path == path).unwrap();
        assert!(!String::from_utf8_lossy(&last.body).contains("c4nary"));
        last.body
    };
    let records = || {
        let logs: ExportLogsServiceRequest = serde_json::from_slice(&told("/v1/logs")).unwrap();
        logs.resource_logs[0].scope_logs[0].log_records.clone()
    };
    let span = || {
        let traces: ExportTraceServiceRequest =
            serde_json::from_slice(&told("/v1/traces")).unwrap();
        let [span] = traces.resource_spans[0].scope_spans[0].spans.as_slice() else {
            panic!("{traces:?}");
        };
        span.status.clone().unwrap().code
    };

    run(0);
    let metrics: ExportMetricsServiceRequest =
        serde_json::from_slice(&told("/v1/metrics")).unwrap();
    let changes = metric(&metrics, "keyferry_delivery_changes_total");
    let Some(Data::Sum(sum)) = &changes.data else {
        panic!("{changes:?}");
    };
    let value = sum.data_points[0].value;
    assert_eq!(value, Some(number_data_point::Value::AsDouble(1.0)));
    assert_eq!(span(), 1);
    let of_success = format!("{:?}", records());
    assert!(of_success.contains("1 created"), "{of_success}");
    assert!(of_success.contains("app.env"), "{of_success}");

    std::fs::write(folder.path().join("app.env.age"), "age-encryption.org/v1\n").unwrap();
    run(5);
    assert_eq!(span(), 2);
    let failed = records();
    let failed = failed
        .iter()
        .find(|record| record.severity_text == "ERROR")
        .unwrap();
    let told = format!("{failed:?}");
    for words in ["app", "corrupt", "keyferry.yaml", "app.env.age"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(failed.severity_number, 17);
    assert!(failed.time_unix_nano > 1_700_000_000_000_000_000);
}

#[test]
fn no_collector_changes_or_holds_up_how_a_job_ends() {
    let (silent, _calls) = receiver(&[Says::Silence]);
    let [nobody] = crate::support::process::free_ports();
    for address in [
        format!("grpc://{silent}"),
        format!("grpc://127.0.0.1:{nobody}"),
        format!("http://127.0.0.1:{nobody}"),
    ] {
        for (source, code) in [(age("A=b\n"), 0), (b"age-encryption.org/v1\n".to_vec(), 5)] {
            let folder = tempfile::tempdir().unwrap();
            job(folder.path(), &address);
            replace(&folder.path().join("app.env.age"), &source);
            let begun = Clock::now();
            let output = keyferry()
                .dir(folder.path())
                .args(["job"])
                .run()
                .expect(code);
            assert!(begun.elapsed() < Duration::from_secs(10), "{address}");
            let told = output.stderr.matches("the collector is not told").count();
            assert_eq!(told, 1, "{address}: {}", output.stderr);
        }
    }
}

/// What a collector is told, read by the protocol's own types.
#[test]
fn metrics_and_passes_reach_a_collector_in_its_own_form() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), VALUE);
    let stub = Stub::start(|_| Reply::text(200, "application/json", "{}"));
    let sidecar = RunningSidecar::start(folder.path(), &config(&stub.url(), ""));
    sidecar.ready();
    put(folder.path(), OTHER);
    let body = |path: &str| {
        let seen = stub
            .seen()
            .into_iter()
            .find(|request| request.path == path)?;
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert!(!String::from_utf8_lossy(&seen.body).contains("c4nary"));
        Some(seen.body)
    };
    eventually("both are told", Duration::from_secs(40), || {
        body("/v1/metrics").is_some() && body("/v1/traces").is_some()
    });
    let metrics: ExportMetricsServiceRequest =
        serde_json::from_slice(&body("/v1/metrics").unwrap()).unwrap();
    let told = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    let names: Vec<&str> = told.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(
        names,
        keyferry::sidecar::metrics::names().collect::<Vec<_>>()
    );
    let ready = metric(&metrics, "keyferry_delivery_ready");
    let Some(Data::Gauge(gauge)) = &ready.data else {
        panic!("{ready:?}");
    };
    let point = &gauge.data_points[0];
    assert_eq!(point.value, Some(number_data_point::Value::AsDouble(1.0)));
    assert_eq!(point.attributes[0].key, "delivery");
    assert!(point.time_unix_nano > 0);
    let changes = metric(&metrics, "keyferry_delivery_changes_total");
    assert!(
        matches!(&changes.data, Some(Data::Sum(sum)) if sum.is_monotonic && sum.aggregation_temporality == 2),
        "{changes:?}"
    );

    let traces: ExportTraceServiceRequest =
        serde_json::from_slice(&body("/v1/traces").unwrap()).unwrap();
    let spans = &traces.resource_spans[0].scope_spans[0].spans;
    assert!(!spans.is_empty());
    for span in spans {
        assert_eq!(
            (span.name.as_str(), span.trace_id.len(), span.span_id.len()),
            ("pass", 16, 8)
        );
        assert!(
            span.end_time_unix_nano >= span.start_time_unix_nano && span.start_time_unix_nano > 0
        );
    }
    sidecar.end().expect(0);
}
