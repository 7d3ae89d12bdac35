//! Probes, metrics, status and a page for people over HTTP: a few read-only paths, one request per
//! connection, everything bounded.
//!
//! A connection first waits for its request, which costs next to nothing, and takes one of the few
//! turns only when the request is complete. So silent connections delay no probe.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::health::Health;
use super::listen::Names;
use super::{metrics, page};

/// The largest request, which is one line and a few headers.
const LARGEST: usize = 8 << 10;

/// Time from the connection to the end of the request.
const REQUEST: Duration = Duration::from_secs(1);

/// Time from there to the last byte of the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Enough for a kubelet and a Prometheus; other requests wait for a turn.
const AT_ONCE: usize = 16;

/// How many connections may wait for their request; one more replaces the oldest.
const SILENT: usize = 128;

/// Answers for ever.
pub async fn serve(listener: TcpListener, health: Arc<Health>, names: Names) {
    let (turns, names) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::new(names));
    let mut silent = Silent::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (turns, health, names) = (turns.clone(), health.clone(), names.clone());
                let displaced = silent.one_more();
                tokio::spawn(async move {
                    let _ = converse(stream, displaced, &turns, &health, &names).await;
                });
            }
            // There are no free file descriptors for the moment.
            Err(error) => {
                tracing::warn!("no connection taken: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Connections whose request is not complete, the oldest first.
#[derive(Default)]
struct Silent(VecDeque<oneshot::Sender<()>>);

impl Silent {
    /// Adds a connection; the receiver ends when another connection replaces it.
    fn one_more(&mut self) -> oneshot::Receiver<()> {
        if self.0.len() >= SILENT {
            self.0.retain(|place| !place.is_closed());
        }
        if self.0.len() >= SILENT {
            drop(self.0.pop_front());
        }
        let (place, displaced) = oneshot::channel();
        self.0.push_back(place);
        displaced
    }
}

async fn converse(
    mut stream: TcpStream,
    displaced: oneshot::Receiver<()>,
    turns: &Semaphore,
    health: &Health,
    names: &Names,
) -> std::io::Result<()> {
    let request = tokio::select! {
        request = timeout(REQUEST, request(&mut stream)) => request??,
        _ = displaced => None,
    };
    let Some(request) = request else {
        return Ok(());
    };
    let answered = async {
        // The semaphore is never closed.
        let _turn = turns.acquire().await;
        answer(stream, &request, health, names).await
    };
    timeout(ANSWER, answered).await?
}

/// The head of a request; nothing if it is not completed.
async fn request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LARGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// An answer.
struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
    /// Extra header lines, each with its line end.
    more: String,
    /// Whether the request asks only for the head.
    head: bool,
}

impl Answer {
    fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body.into())
    }

    fn new(status: &'static str, kind: &'static str, body: String) -> Self {
        Self {
            status,
            kind,
            body,
            more: String::new(),
            head: false,
        }
    }

    /// The head of the answer.
    fn start(&self) -> String {
        let Self {
            status, kind, more, ..
        } = self;
        let length = self.body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: \
             {length}\r\ncache-control: no-store\r\nx-content-type-options: \
             nosniff\r\n{more}connection: close\r\n\r\n"
        )
    }
}

async fn answer(
    mut stream: TcpStream,
    request: &str,
    health: &Health,
    names: &Names,
) -> std::io::Result<()> {
    let answer = respond(request, health, names);
    stream.write_all(answer.start().as_bytes()).await?;
    if !answer.head {
        stream.write_all(answer.body.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// The values of `Host`: one, or none in HTTP/1.0.
fn hosts(request: &str) -> impl Iterator<Item = &str> {
    let headers = request.split("\r\n").skip(1);
    headers.filter_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    })
}

fn respond(request: &str, health: &Health, names: &Names) -> Answer {
    let line = request.split("\r\n").next().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    if !hosts(request).all(|host| names.has(host)) {
        let why = "this name is not ours: ask by address, or name it with --allow-host\n";
        return Answer::text("421 Misdirected Request", why);
    }
    if !matches!(method, "GET" | "HEAD") {
        let answer = Answer::text("405 Method Not Allowed", "only GET and HEAD\n");
        let more = "allow: GET, HEAD\r\n".to_owned();
        return Answer { more, ..answer };
    }
    let answer = read(path, health);
    let head = method == "HEAD";
    Answer { head, ..answer }
}

fn read(path: &str, health: &Health) -> Answer {
    const WELL: &str = "200 OK";
    const NOT_WELL: &str = "503 Service Unavailable";
    match path {
        "/livez" if health.is_alive() => Answer::text(WELL, "ok\n"),
        "/livez" => Answer::text(NOT_WELL, "a watch of the cluster is stuck\n"),
        "/readyz" => match health.readiness() {
            (true, text) => Answer::text(WELL, text),
            (false, text) => Answer::text(NOT_WELL, text),
        },
        "/metrics" => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            Answer::new(WELL, kind, metrics::text(health))
        }
        "/status" => {
            let status = serde_json::json!(health.status());
            Answer::new(WELL, "application/json", format!("{status}\n"))
        }
        "/" if health.has_page() => {
            let page = page::page(&health.status());
            let more = format!(
                "content-security-policy: {}\r\nreferrer-policy: no-referrer\r\n",
                page::policy()
            );
            let answer = Answer::new(WELL, "text/html; charset=utf-8", page);
            Answer { more, ..answer }
        }
        _ => {
            let page = if health.has_page() { "/, " } else { "" };
            let known = format!("{page}/livez, /readyz, /metrics, /status\n");
            Answer::text("404 Not Found", known)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    #[test]
    fn only_reads_of_known_paths_are_answered() {
        let (health, names) = (Health::default(), Names::default());
        let rows = [
            ("GET /livez HTTP/1.1", "200"),
            ("GET /readyz HTTP/1.1", "200"),
            ("GET /readyz?verbose HTTP/1.1", "200"),
            ("GET /metrics HTTP/1.1", "200"),
            ("GET /status HTTP/1.1", "200"),
            ("HEAD /readyz HTTP/1.1", "200"),
            ("GET / HTTP/1.1", "404"),
            ("HEAD /livez/x HTTP/1.1", "404"),
            ("GET /livez/x HTTP/1.1", "404"),
            ("POST /livez HTTP/1.1", "405"),
            ("", "405"),
            ("GET /livez HTTP/1.1\r\nHost: 10.0.0.1:9733\r\n", "200"),
            ("GET /livez HTTP/1.1\r\nhost:localhost\r\n", "200"),
            ("GET /livez HTTP/1.1\r\nHOST: attacker.example\r\n", "421"),
            (
                "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\n",
                "421",
            ),
        ];
        for (request, want) in rows {
            let answer = respond(request, &health, &names);
            assert!(
                answer.status.starts_with(want),
                "{request}: {}",
                answer.status
            );
        }
    }

    #[test]
    fn people_have_a_page_unless_the_configuration_says_no() {
        let (health, names) = (Health::default(), Names::default());
        let deliveries = "deliveries: [{name: app, fields: {a: b}, to: [{file: {path: a.env}}]}]\n";
        for (sidecar, want) in [
            ("", "200"),
            ("sidecar: {statusPage: true}\n", "200"),
            ("sidecar: {statusPage: false}\n", "404"),
        ] {
            health.use_configuration(&of_text(&format!("{sidecar}{deliveries}")));
            for request in ["GET / HTTP/1.1", "GET /?x HTTP/1.1", "HEAD / HTTP/1.1"] {
                let answer = respond(request, &health, &names);
                assert!(answer.status.starts_with(want), "{sidecar}{request}");
            }
            let posted = respond("POST / HTTP/1.1", &health, &names).start();
            assert!(posted.starts_with("HTTP/1.1 405 "), "{posted}");
            assert!(posted.contains("\r\nallow: GET, HEAD\r\n"), "{posted}");
        }
    }
}
