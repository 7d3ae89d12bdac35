//! A small HTTP server that misbehaves on purpose: garbage, redirects, 429, slow and endless
//! bodies.
//!
//! Only for what a real server will not do when asked; everything else is tested on the real one.

use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::tls::Identity;
use message::head;
pub(super) use message::read_request;
pub(crate) use message::{Reply, Request};

mod message;

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
        Self::listen(Some(identity.server()), Box::new(reply))
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
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: \
                    application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                )?;
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
