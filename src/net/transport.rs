//! One HTTP exchange with one server: bounded in time and size, without proxies, and without
//! redirects that leave the configured address.
//!
//! The read and write buffers of hyper are not wiped: they hold headers and parts of bodies for a
//! moment.

use std::time::Duration;

use crate::base::wiped::WipedBytes;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::error::NetError;
use super::error_chain::{deepest, find};
use super::tls::Trust;
use crate::base::address::is_loopback;
use crate::process::memory::{self, TakenMemory};

const CONNECT: Duration = Duration::from_secs(10);
const EXCHANGE: Duration = Duration::from_secs(30);
const BODY_LIMIT: usize = 4 << 20;

/// Read buffer of each connection. The usual 400 KiB would be most of our memory when many answers
/// come at once.
const BUFFER: usize = 64 << 10;

/// Enough for every configuration we know to read everything at once, but a hundred paths do not
/// make a hundred handshakes.
const AT_ONCE: usize = 16;

pub(super) const USER_AGENT: &str = concat!("keyferry/", env!("CARGO_PKG_VERSION"));

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A request to a path of the server. Cloning shares the body, which is wiped with its last owner.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) body: Bytes,
}

/// An answer with any status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: WipedBytes,
}

/// The connections to one server.
pub(crate) struct Transport {
    scheme: Scheme,
    authority: Authority,
    trust: Trust,
    client: Mutex<Option<HttpClient>>,
    turns: Semaphore,
}

impl Transport {
    /// Connections to `https://host:port`; nothing is opened or read yet.
    pub(crate) fn new(
        address: &str,
        trust: Trust,
        allow_plaintext: bool,
    ) -> Result<Self, NetError> {
        let unusable = |why| NetError::Address {
            // A password before an `@` must not be shown.
            address: match address.rsplit_once('@') {
                Some((_, host)) => format!("…@{host}"),
                None => address.to_owned(),
            },
            why,
        };
        let uri: Uri = address.parse().map_err(|_| unusable("it is no URL"))?;
        let more = uri.path().len() > 1 || uri.query().is_some() || address.contains('@');
        let http::uri::Parts {
            scheme, authority, ..
        } = uri.into_parts();
        let (Some(scheme), Some(authority)) = (scheme, authority) else {
            return Err(unusable("it lacks scheme or host"));
        };
        let has_port = authority.as_str().len() > authority.host().len();
        if more || (has_port && authority.port_u16().is_none()) {
            return Err(unusable("it holds more than scheme, host and port"));
        }
        if scheme == Scheme::HTTP {
            if !allow_plaintext && !is_loopback(authority.host()) {
                return Err(NetError::Plaintext {
                    address: address.to_owned(),
                });
            }
        } else if scheme != Scheme::HTTPS {
            return Err(unusable("it is neither https nor http"));
        }
        trust.fixed_name().map_err(unusable)?;
        Ok(Self {
            scheme,
            authority,
            trust,
            client: Mutex::new(None),
            turns: Semaphore::new(memory::at_once(AT_ONCE)),
        })
    }

    /// Connections to the server of a URL, and the rest of the URL. A path or query may hold a
    /// token, so errors show the address as `shown`.
    pub(crate) fn to(
        url: &str,
        shown: &str,
        trust: Trust,
        allow_plaintext: bool,
    ) -> Result<(Self, PathAndQuery), NetError> {
        let unusable = |why| NetError::Address {
            address: shown.to_owned(),
            why,
        };
        let parts = url.parse().map(Uri::into_parts);
        let parts = parts.map_err(|_| unusable("it is no URL"))?;
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(unusable("it lacks scheme or host"));
        };
        let address = format!("{scheme}://{authority}");
        let target = parts.path_and_query;
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        Ok((Self::new(&address, trust, allow_plaintext)?, target))
    }

    /// The server's address for messages.
    fn address(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// Sends one request and reads its whole answer, until `limit` at most.
    pub(crate) async fn send(
        &self,
        call: &Call,
        headers: &HeaderMap,
        limit: Instant,
    ) -> Result<Answer, NetError> {
        // The server is not to blame for the wait for a turn: only the deadline bounds it.
        let _turn = tokio::time::timeout_at(limit, self.turns.acquire()).await;
        let time_limit = limit
            .saturating_duration_since(Instant::now())
            .min(EXCHANGE);
        // The future is made only now: it is large, and many requests wait for a turn.
        let exchange = Box::pin(self.exchange(call, headers, limit));
        let sent = tokio::time::timeout(time_limit, exchange).await;
        let answer = sent.unwrap_or_else(|_| {
            let (address, after) = (self.address(), time_limit);
            Err(match after {
                EXCHANGE => NetError::Timeout { address, after },
                _ => NetError::Late { address, after },
            })
        });
        if answer.as_ref().is_err_and(NetError::is_of_the_connection) {
            self.drop_connections().await;
        }
        answer
    }

    async fn exchange(
        &self,
        call: &Call,
        headers: &HeaderMap,
        limit: Instant,
    ) -> Result<Answer, NetError> {
        let client = self.client(limit).await?;
        let first = self.once(&client, call, headers).await?;
        let Some(target) = self.redirect(&first)? else {
            return collect(first).await;
        };
        let call = Call {
            target,
            ..call.clone()
        };
        let second = self.once(&client, &call, headers).await?;
        match self.redirect(&second)? {
            None => collect(second).await,
            Some(_) => {
                let to = "another redirect".to_owned();
                Err(NetError::Redirect { to })
            }
        }
    }

    async fn once(
        &self,
        client: &HttpClient,
        call: &Call,
        headers: &HeaderMap,
    ) -> Result<Response<Incoming>, NetError> {
        let Call {
            method,
            target,
            body,
        } = call;
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target.clone())
            .build()
            .map_err(|_| NetError::Address {
                address: self.address(),
                why: "it does not go with the path",
            })?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers.clone();
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        client
            .request(request)
            .await
            .map_err(|error| self.explain(&error))
    }

    /// The target of a redirect, if it stays at our address under TLS; otherwise an error.
    fn redirect(&self, response: &Response<Incoming>) -> Result<Option<PathAndQuery>, NetError> {
        if !response.status().is_redirection() {
            return Ok(None);
        }
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| location.parse::<Uri>().ok())
            .unwrap_or_default();
        let stays = location.scheme() == Some(&Scheme::HTTPS)
            && self.scheme == Scheme::HTTPS
            && location.authority() == Some(&self.authority)
            && response.status() == StatusCode::TEMPORARY_REDIRECT;
        match location.path_and_query() {
            Some(target) if stays => Ok(Some(target.clone())),
            Some(_) | None => Err(NetError::Redirect {
                to: match (location.scheme(), location.host()) {
                    (Some(scheme), Some(host)) => format!("{scheme}://{host}"),
                    _ => "an unknown place".to_owned(),
                },
            }),
        }
    }

    async fn client(&self, limit: Instant) -> Result<HttpClient, NetError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = &*kept {
            return Ok(client.clone());
        }
        let client = self.build(limit.min(Instant::now() + CONNECT)).await?;
        *kept = Some(client.clone());
        Ok(client)
    }

    /// After this the next request makes new connections and reads the CA file again.
    async fn drop_connections(&self) {
        *self.client.lock().await = None;
    }

    async fn build(&self, end: Instant) -> Result<HttpClient, NetError> {
        let address = self.address();
        let secure = self.scheme == Scheme::HTTPS;
        let tls = if secure {
            self.trust.client(&address, end).await?
        } else {
            Trust::nobody().map_err(|error| self.trust.explain(&address, &error))?
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
        let mut connector = if secure {
            connector.https_only()
        } else {
            connector.https_or_http()
        };
        if let Ok(Some(name)) = self.trust.fixed_name() {
            connector = connector.with_server_name_resolver(FixedServerNameResolver::new(name));
        }
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(BUFFER)
            .build(connector.enable_http1().wrap_connector(tcp)))
    }

    fn explain(&self, error: &hyper_util::client::legacy::Error) -> NetError {
        if let Some(error) = find::<rustls::Error>(error) {
            return self.trust.explain(&self.address(), error);
        }
        if error.is_connect() {
            return NetError::Connect {
                address: self.address(),
                why: deepest(error),
            };
        }
        match find::<hyper::Error>(error) {
            Some(error) if error.is_parse() => NetError::NoHttp,
            _ => NetError::Connect {
                address: self.address(),
                why: "the connection was closed before an answer".to_owned(),
            },
        }
    }
}

async fn collect(response: Response<Incoming>) -> Result<Answer, NetError> {
    let (head, mut body) = response.into_parts();
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(NetError::Large { limit: BODY_LIMIT });
    }
    let mut held = TakenMemory::default();
    let whole = match body.size_hint().exact() {
        Some(size) => {
            sized(
                &mut body,
                usize::try_from(size).unwrap_or(BODY_LIMIT),
                &mut held,
            )
            .await
        }
        None => in_parts(&mut body, &mut held).await,
    }?;
    Ok(Answer {
        status: head.status,
        retry_after: head
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: whole,
    })
}

/// Reads directly into the final buffer: many answers come at once, and each should be in memory
/// only once.
async fn sized(
    body: &mut Incoming,
    size: usize,
    held: &mut TakenMemory,
) -> Result<WipedBytes, NetError> {
    held.grow(size)?;
    let mut whole = WipedBytes::with_capacity(size);
    while let Some(part) = part(body).await? {
        whole.write(&part);
    }
    Ok(whole)
}

async fn in_parts(body: &mut Incoming, held: &mut TakenMemory) -> Result<WipedBytes, NetError> {
    let mut parts: Vec<Bytes> = Vec::new();
    let mut size = 0;
    while let Some(part) = part(body).await? {
        size += part.len();
        if size > BODY_LIMIT {
            return Err(NetError::Large { limit: BODY_LIMIT });
        }
        held.grow(part.len())?;
        parts.push(part);
    }
    // One copy into a buffer of the right size: a buffer that grows would need twice the memory.
    let mut whole = WipedBytes::with_capacity(size);
    for part in parts {
        whole.write(&part);
    }
    Ok(whole)
}

/// The next part of a body; trailers are skipped.
async fn part(body: &mut Incoming) -> Result<Option<Bytes>, NetError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| NetError::BrokeOff)?;
        if let Ok(part) = frame.into_data() {
            return Ok(Some(part));
        }
    }
    Ok(None)
}
