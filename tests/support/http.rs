//! A blocking HTTP/1.1 client of a page, plain or TLS, for the tests' own questions to real
//! servers.
//!
//! Not keyferry's client on purpose: a test must not ask the code under test what the server holds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Where to ask, and the headers of every question.
#[derive(Clone)]
pub(crate) struct Client {
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    headers: Vec<(String, String)>,
    limit: Duration,
}

/// What came back.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Header names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` when it is empty, a string when it is something else.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into())
    }
}

impl Client {
    /// A plain client of a loopback port.
    pub(crate) fn plain(port: u16) -> Self {
        Self {
            port,
            tls: None,
            headers: Vec::new(),
            limit: Duration::from_secs(30),
        }
    }

    /// A TLS client of a loopback port that trusts `ca` alone.
    pub(crate) fn tls(port: u16, ca: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots
                .add(certificate.expect("our own PEM"))
                .expect("our own certificate");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            port,
            tls: Some(Arc::new(config)),
            headers: Vec::new(),
            limit: Duration::from_secs(30),
        }
    }

    /// The same client with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same client with less patience than half a minute between two bytes.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// One question on a connection of its own.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        self.connect()?.send(method, path, kind, body)
    }

    /// A connection for several questions.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(self.limit))?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
                let tls =
                    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                Box::new(StreamOwned::new(tls, tcp))
            }
        };
        Ok(Connection {
            stream: BufReader::new(stream),
            headers: self.headers.clone(),
        })
    }
}

/// A connection, plain or not.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// An open connection; questions go one after another.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    headers: Vec<(String, String)>,
}

impl Connection {
    /// One more header for every question from here on.
    pub(crate) fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Asks and reads the whole answer. `kind` is the content type of `body`.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!("Content-Type: {kind}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let wire = [head.as_bytes(), body].concat();
        let stream = self.stream.get_mut();
        stream.write_all(&wire)?;
        stream.flush()?;
        self.answer()
    }

    /// The bare connection.
    pub(crate) fn into_stream(self) -> BufReader<Box<dyn Stream>> {
        self.stream
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let line = self.line()?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| bad(&line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            match line.split_once(':') {
                Some((name, value)) => {
                    headers.push((name.to_ascii_lowercase(), value.trim().to_owned()))
                }
                None => break,
            }
        }
        let header = |name: &str| {
            headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_str())
        };
        let body = match (header("transfer-encoding"), header("content-length")) {
            (Some("chunked"), _) => self.chunks()?,
            (_, Some(length)) => self.exactly(length.parse().map_err(|_| bad(length))?)?,
            _ if status == 204 => Vec::new(),
            _ => self.rest()?,
        };
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(&line, 16).map_err(|_| bad(&line))?;
            body.extend(self.exactly(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stream.read_to_end(&mut body)?;
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::other(format!("not HTTP: {what:?}"))
}
