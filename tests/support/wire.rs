//! A wire between a client and the real API server: it writes down what goes over it, and can go
//! silent, be cut or refuse.
//!
//! It ends TLS on both sides, because the header that asks for metadata alone is in no audit log.
//! Requests and answers are passed on as they are, piece by piece, so a watch stays a watch.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::{Client, Stream};
use super::stub::{Request, read_request};
use super::tls::Authority;

/// A listening wire. Dropping it cuts every connection.
pub(crate) struct Wire {
    port: u16,
    ca: String,
    shared: Arc<Shared>,
}

/// One request, and what can be said of its answer so far.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// `GET`, `PATCH`, …
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// What was asked for.
    pub(crate) accept: String,
    /// The client's name.
    pub(crate) agent: String,
    /// 0: there is none yet.
    pub(crate) status: u16,
    /// Whether the bytes that are looked for were in the answer.
    pub(crate) held: bool,
}

impl Exchange {
    /// Whether it is a list or a watch, and not of one object.
    pub(crate) fn is_of_many(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        self.method == "GET" && ["secrets", "configmaps", "namespaces"].contains(&last)
    }
}

struct Shared {
    upstream: Client,
    needle: Vec<u8>,
    over: AtomicBool,
    refusing: AtomicBool,
    aged: AtomicUsize,
    exchanges: Mutex<Vec<Exchange>>,
    lines: Mutex<Vec<Arc<Line>>>,
}

/// One connection of a client.
struct Line {
    tcp: TcpStream,
    silent: AtomicBool,
    watching: AtomicBool,
}

impl Wire {
    pub(crate) fn to(upstream: Client, needle: &[u8]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let authority = Authority::new();
        let tls = authority.issue(&["127.0.0.1"]).server();
        let shared = Arc::new(Shared {
            upstream,
            needle: needle.to_vec(),
            over: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            aged: AtomicUsize::new(0),
            exchanges: Mutex::default(),
            lines: Mutex::default(),
        });
        let wire = Self {
            port,
            ca: authority.pem().to_owned(),
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || accept(&listener, &shared, &tls));
        wire
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The authority of its certificate.
    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    /// All requests so far.
    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.shared.exchanges).clone()
    }

    /// Open connections say nothing more and hear nothing, and nobody is told: half-open. New ones
    /// work. Gives how many.
    pub(crate) fn silence(&self, only_watches: bool) -> usize {
        let lines = lock(&self.shared.lines);
        let hit = lines
            .iter()
            .filter(|line| !only_watches || line.watching.load(Ordering::SeqCst));
        hit.map(|line| line.silent.store(true, Ordering::SeqCst))
            .count()
    }

    /// Open connections end at once.
    pub(crate) fn cut(&self) {
        for line in lock(&self.shared.lines).drain(..) {
            // One that has ended already is as good.
            drop(line.tcp.shutdown(Shutdown::Both));
        }
    }

    /// Whether new connections end before a word is said.
    pub(crate) fn refuse(&self, refuse: bool) {
        self.shared.refusing.store(refuse, Ordering::SeqCst);
    }

    /// The next watches ask for what happened since a version that the server has long forgotten.
    pub(crate) fn age(&self, watches: usize) {
        self.shared.aged.store(watches, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: &Arc<ServerConfig>) {
    for tcp in listener.incoming().map_while(Result::ok) {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        if !shared.refusing.load(Ordering::SeqCst) {
            let (shared, tls) = (Arc::clone(shared), Arc::clone(tls));
            // Connections that break are what this is for.
            std::thread::spawn(move || drop(shared.line(tcp, tls)));
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// One connection, from its begin to its end.
    fn line(&self, tcp: TcpStream, tls: Arc<ServerConfig>) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let line = Arc::new(Line {
            tcp: tcp.try_clone()?,
            silent: AtomicBool::new(false),
            watching: AtomicBool::new(false),
        });
        lock(&self.lines).push(Arc::clone(&line));
        let outcome = self.serve(&line, tcp, tls);
        lock(&self.lines).retain(|other| !Arc::ptr_eq(other, &line));
        line.tcp.shutdown(Shutdown::Both)?;
        outcome
    }

    fn serve(&self, line: &Line, tcp: TcpStream, tls: Arc<ServerConfig>) -> io::Result<()> {
        let session = ServerConnection::new(tls).map_err(io::Error::other)?;
        let mut client = BufReader::new(StreamOwned::new(session, tcp));
        let mut server = self.upstream.connect()?.into_stream();
        while let Some(request) = read_request(&mut client)? {
            self.pause(line)?;
            let (at, bytes) = self.note(line, &request);
            server.get_mut().write_all(&bytes)?;
            server.get_mut().flush()?;
            self.answer(line, at, &mut server, client.get_mut())?;
        }
        Ok(())
    }

    /// A silent connection stays so until all is over.
    fn pause(&self, line: &Line) -> io::Result<()> {
        while line.silent.load(Ordering::SeqCst) {
            if self.over.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Writes a request down, and gives what is sent in its place.
    fn note(&self, line: &Line, request: &Request) -> (usize, Vec<u8>) {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let mut path = request.path.clone();
        let watching = path.contains("watch=1");
        line.watching.store(watching, Ordering::SeqCst);
        let old = |left: usize| left.checked_sub(1);
        let aged = |aged: &AtomicUsize| aged.fetch_update(Ordering::SeqCst, Ordering::SeqCst, old);
        if watching && aged(&self.aged).is_ok() {
            let (before, version) = path.split_once("resourceVersion=").expect("a version");
            let rest = version.trim_start_matches(|c: char| c.is_ascii_digit());
            path = format!("{before}resourceVersion=1{rest}");
        }
        let mut bytes = format!("{} {path} HTTP/1.1\r\n", request.method);
        // Packed bytes could not be looked into.
        let plain = |name: &String| name != "accept-encoding";
        for (name, value) in request.headers.iter().filter(|(name, _)| plain(name)) {
            bytes += &format!("{name}: {value}\r\n");
        }
        let bytes = [bytes.as_bytes(), b"\r\n", &request.body].concat();
        let mut exchanges = lock(&self.exchanges);
        exchanges.push(Exchange {
            method: request.method.clone(),
            path,
            accept: header("accept"),
            agent: header("user-agent"),
            status: 0,
            held: false,
        });
        (exchanges.len() - 1, bytes)
    }

    fn answer(
        &self,
        line: &Line,
        at: usize,
        from: &mut BufReader<Box<dyn Stream>>,
        to: &mut impl Write,
    ) -> io::Result<()> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let lower = head.to_ascii_lowercase();
        let status = lower.split(' ').nth(1).and_then(|code| code.parse().ok());
        lock(&self.exchanges)[at].status = status.unwrap_or_default();
        let header = |name: &str| lower.lines().find_map(|line| line.strip_prefix(name));
        let mut pass = |bytes: &[u8]| {
            self.pause(line)?;
            to.write_all(bytes)?;
            to.flush()
        };
        pass(head.as_bytes())?;
        let mut tail = Vec::new();
        if header("transfer-encoding: chunked").is_none() {
            let length = header("content-length: ").and_then(|length| length.trim().parse().ok());
            let body = exactly(from, length.unwrap_or(0))?;
            self.look(at, &body, &mut tail);
            return pass(&body);
        }
        loop {
            let mut size = String::new();
            from.read_line(&mut size)?;
            let length = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let chunk = exactly(from, length + 2)?;
            self.look(at, &chunk[..length], &mut tail);
            pass(&[size.as_bytes(), &chunk].concat())?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Looks for the needle, which may be cut in two.
    fn look(&self, at: usize, bytes: &[u8], tail: &mut Vec<u8>) {
        tail.extend_from_slice(bytes);
        let length = self.needle.len().max(1);
        if tail.windows(length).any(|part| part == self.needle) {
            lock(&self.exchanges)[at].held = true;
        }
        tail.drain(..tail.len().saturating_sub(length - 1));
    }
}

fn exactly(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
