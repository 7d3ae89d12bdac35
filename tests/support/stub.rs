//! A small HTTP server that misbehaves on purpose: garbage, redirects, 429, slow and endless bodies.
//!
//! Only for what a real server will not do when asked; everything else is tested on the real one.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls::Identity;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET`, `POST`, …
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What to do with a request.
pub(crate) enum Reply {
    /// A whole answer.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// Nothing, with the connection open.
    Hang,
    /// A whole answer of status 200, one byte of its body at a time.
    Drip { body: Vec<u8>, every: Duration },
    /// The head promises `length` bytes, then only `body` comes and the connection closes.
    Cut { length: usize, body: Vec<u8> },
    /// Status 200 and chunks of spaces without end.
    Endless,
    /// These bytes, and the connection closes.
    Raw(Vec<u8>),
}

impl Reply {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    /// An answer of any content type.
    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: body.into(),
        }
    }

    /// The same answer with one more header; only for `Answer`.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        let Self::Answer {
            status,
            mut headers,
            body,
        } = self
        else {
            panic!("only an answer has headers to add to");
        };
        headers.push((name.to_owned(), value.to_owned()));
        Self::Answer {
            status,
            headers,
            body,
        }
    }
}

/// A running stub. Dropping it ends its threads.
pub(crate) struct Stub {
    address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
}

struct Shared {
    reply: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    seen: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    over: AtomicBool,
}

impl Stub {
    /// Plain HTTP on a free loopback port.
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, Box::new(reply))
    }

    /// HTTPS with a certificate of a test authority.
    pub(crate) fn start_tls(
        identity: &Identity,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let chain = chain
            .map(|certificate| certificate.expect("our own PEM"))
            .collect();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("our own PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("key and certificate match");
        Self::listen(Some(Arc::new(config)), Box::new(reply))
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        reply: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            reply,
            seen: Mutex::default(),
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let stub = Self {
            address,
            tls: tls.is_some(),
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                if shared.over() {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                // A client that goes away in the middle is what many of these tests are about.
                std::thread::spawn(move || drop(shared.serve(tcp, tls)));
            }
        });
        stub
    }

    /// `http://127.0.0.1:PORT` or `https://…`.
    pub(crate) fn url(&self) -> String {
        format!(
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.address
        )
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every request so far, oldest first.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// `METHOD path` of every request so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen()
            .into_iter()
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    /// How many connections were opened, also those without a request.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn serve(&self, tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(connection, tcp))
            }
        };
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream)? {
            self.seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request.clone());
            if !self.answer(stream.get_mut(), (self.reply)(&request))? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn answer(&self, stream: &mut dyn Stream, reply: Reply) -> io::Result<bool> {
        match reply {
            Reply::Answer {
                status,
                headers,
                body,
            } => {
                stream
                    .write_all(&[head(status, &headers, body.len()).as_bytes(), &body].concat())?;
                stream.flush()?;
                return Ok(true);
            }
            Reply::Hang => {
                while !self.over() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Reply::Drip { body, every } => {
                stream.write_all(head(200, &[], body.len()).as_bytes())?;
                for byte in body {
                    stream.write_all(&[byte])?;
                    stream.flush()?;
                    std::thread::sleep(every);
                    if self.over() {
                        break;
                    }
                }
            }
            Reply::Cut { length, body } => {
                stream.write_all(&[head(200, &[], length).as_bytes(), &body].concat())?;
                stream.flush()?;
            }
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
                while !self.over() {
                    stream.write_all(chunk.as_bytes())?;
                }
            }
            Reply::Raw(bytes) => {
                stream.write_all(&bytes)?;
                stream.flush()?;
            }
        }
        Ok(false)
    }
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> String {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("HTTP/1.1 {status} Stub\r\n{lines}Content-Length: {length}\r\n\r\n")
}

/// `None` when the client has closed the connection between two requests.
fn read_request(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words
        .next()
        .zip(words.next())
        .ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()))
            }
            None => break,
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        headers,
        body,
    }))
}
