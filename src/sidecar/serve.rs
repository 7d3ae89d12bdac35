//! Probes, metrics and status over HTTP: four paths, GET only, one request per connection,
//! everything bounded.
//!
//! A connection first waits for its request, beside others that cost next to nothing, and takes one
//! of the few turns only when the request is complete. So connections on which nothing is said hold
//! up no probe.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::health::Health;
use super::listen::Names;
use super::metrics;

/// A request is one line and a few headers.
const LARGEST: usize = 8 << 10;

/// From the connection to the end of the request.
const REQUEST: Duration = Duration::from_secs(1);

/// From there to the last byte of the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// A kubelet and a Prometheus; the rest waits its turn.
const AT_ONCE: usize = 16;

/// So many connections may wait for their request; one more takes the place of the oldest.
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
            // Out of descriptors, for a moment.
            Err(error) => {
                tracing::warn!("no connection taken: {error}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Connections that wait for their request, the oldest first.
#[derive(Default)]
struct Silent(VecDeque<oneshot::Sender<()>>);

impl Silent {
    /// One more; what is returned ends when its place is taken away.
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
        // Never closed.
        let _turn = turns.acquire().await;
        answer(stream, &request, health, names).await
    };
    timeout(ANSWER, answered).await?
}

/// The head of a request; nothing where it does not come to its end.
async fn request(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LARGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

async fn answer(
    mut stream: TcpStream,
    request: &str,
    health: &Health,
    names: &Names,
) -> std::io::Result<()> {
    let (status, kind, body) = respond(request, health, names);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: \
         no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The values of `Host`: one, or none in what HTTP/1.0 sends.
fn hosts(request: &str) -> impl Iterator<Item = &str> {
    let headers = request.split("\r\n").skip(1);
    headers.filter_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(value.trim())
    })
}

fn respond(request: &str, health: &Health, names: &Names) -> (&'static str, &'static str, String) {
    let line = request.split("\r\n").next().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    if !hosts(request).all(|host| names.has(host)) {
        let why = "this name is not ours: ask by address, or name it with --allow-host\n";
        return ("421 Misdirected Request", TEXT, why.to_owned());
    }
    if method != "GET" {
        return ("405 Method Not Allowed", TEXT, "only GET\n".to_owned());
    }
    match path {
        "/livez" if health.is_alive() => ("200 OK", TEXT, "ok\n".to_owned()),
        "/livez" => (
            "503 Service Unavailable",
            TEXT,
            "a watch of the cluster is stuck\n".to_owned(),
        ),
        "/readyz" => match health.readiness() {
            (true, text) => ("200 OK", TEXT, text),
            (false, text) => ("503 Service Unavailable", TEXT, text),
        },
        "/metrics" => (
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::text(health),
        ),
        "/status" => (
            "200 OK",
            "application/json",
            format!("{}\n", health.status()),
        ),
        _ => (
            "404 Not Found",
            TEXT,
            "/livez, /readyz, /metrics, /status\n".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_of_known_paths_are_answered() {
        let (health, names) = (Health::default(), Names::default());
        let rows = [
            ("GET /livez HTTP/1.1", "200"),
            ("GET /readyz HTTP/1.1", "200"),
            ("GET /readyz?verbose HTTP/1.1", "200"),
            ("GET /metrics HTTP/1.1", "200"),
            ("GET /status HTTP/1.1", "200"),
            ("GET / HTTP/1.1", "404"),
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
            let (status, _, _) = respond(request, &health, &names);
            assert!(status.starts_with(want), "{request}: {status}");
        }
    }
}
