//! Probes, metrics and status over HTTP: four paths, GET only, one request per connection, everything bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::board::Board;
use super::metrics;
use crate::report::{Class, Failure};

/// A request is one line and a few headers.
const LARGEST: usize = 8 << 10;

/// From the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(5);

/// A kubelet and a Prometheus; the rest waits its turn.
const AT_ONCE: usize = 16;

/// Opens the address, or says why that cannot be.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(Class::Usage, format!("cannot listen on {address}: {error}"))
            .hint("give another address with --listen; containers of a pod share their ports")
    })
}

/// Answers for ever.
pub async fn serve(listener: TcpListener, board: Arc<Board>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let board = Arc::clone(&board);
                tokio::spawn(async move {
                    let answered = tokio::time::timeout(PATIENCE, answer(stream, &board)).await;
                    drop((answered, turn));
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

async fn answer(mut stream: TcpStream, board: &Board) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LARGEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let (status, kind, body) = respond(&String::from_utf8_lossy(line), board);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

const TEXT: &str = "text/plain; charset=utf-8";

fn respond(line: &str, board: &Board) -> (&'static str, &'static str, String) {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = target.split('?').next().unwrap_or("");
    if method != "GET" {
        return ("405 Method Not Allowed", TEXT, "only GET\n".to_owned());
    }
    match path {
        "/livez" if board.is_alive() => ("200 OK", TEXT, "ok\n".to_owned()),
        "/livez" => (
            "503 Service Unavailable",
            TEXT,
            "a watch of the cluster is stuck\n".to_owned(),
        ),
        "/readyz" => match board.readiness() {
            (true, text) => ("200 OK", TEXT, text),
            (false, text) => ("503 Service Unavailable", TEXT, text),
        },
        "/metrics" => (
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::text(board),
        ),
        "/status" => (
            "200 OK",
            "application/json",
            format!("{}\n", board.status()),
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
        let board = Board::default();
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
        ];
        for (line, want) in rows {
            let (status, _, _) = respond(line, &board);
            assert!(status.starts_with(want), "{line}: {status}");
        }
    }
}
