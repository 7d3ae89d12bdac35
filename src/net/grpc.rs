//! gRPC calls with one message each way, over the same TLS as everything else: HTTP/2, bounded in
//! time and size. The verdict comes after the answer, as gRPC defines it.

use bytes::{BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tower::ServiceExt;

use super::error::NetError;
use super::error_chain::{deepest, find};
use super::tls::Trust;
use super::transport::USER_AGENT;
use crate::base::failure::{Class, Failure};

/// The answers to our calls are nearly empty.
const ANSWER_LIMIT: usize = 64 << 10;

/// The names of gRPC's status numbers.
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Sends messages to methods, one after the other over one connection, which is closed after the
/// last. A caller that calls every few seconds so never uses an old connection that the server has
/// dropped. `http://` means no TLS.
pub async fn calls(
    address: &str,
    messages: Vec<(&str, Vec<u8>)>,
    deadline: Instant,
) -> Result<(), Failure> {
    let time_limit = deadline.saturating_duration_since(Instant::now());
    let verdict = tokio::time::timeout_at(deadline, talk(address, &messages, deadline)).await;
    let verdict = verdict.unwrap_or_else(|_| {
        Err(NetError::Late {
            address: address.to_owned(),
            after: time_limit,
        })
    });
    match verdict.map_err(|error| error.of_a_message())? {
        None => Ok(()),
        Some(status) => Err(Failure::new(
            Class::Unavailable,
            format!("the receiver answered {status}"),
        )),
    }
}

/// The first verdict that is not OK, if any.
async fn talk(
    address: &str,
    messages: &[(&str, Vec<u8>)],
    deadline: Instant,
) -> Result<Option<String>, NetError> {
    let unusable = |why| NetError::Address {
        address: address.to_owned(),
        why,
    };
    let uri: Uri = address.parse().map_err(|_| unusable("it is no URL"))?;
    let trust = Trust::of_system();
    let mut tls = match uri.scheme_str() {
        Some("https") => trust.client(address, deadline).await?,
        _ => Trust::nobody().map_err(|error| trust.explain(address, &error))?,
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let stream = HttpsConnector::from((tcp, tls)).oneshot(uri).await;
    let stream = stream.map_err(|error| match find::<rustls::Error>(error.as_ref()) {
        Some(error) => trust.explain(address, error),
        None => broken(address, error.as_ref()),
    })?;
    let (mut requests, connection) = h2::client::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(address, &error))?;
    let all = async {
        for (method, message) in messages {
            let status = call(&mut requests, &format!("{address}{method}"), message).await;
            let status = status.map_err(|stop| match stop {
                Stop::Http(error) => broken(address, &error),
                Stop::Other(error) => error,
            })?;
            if status.is_some() {
                return Ok(status);
            }
        }
        Ok(None)
    };
    tokio::select! {
        biased;
        verdict = all => verdict,
        ended = connection => {
            let why = ended.map_or_else(|error| deepest(&error), |()| "it was closed".to_owned());
            Err(connect(address, why))
        }
    }
}

/// Why one call has no verdict.
enum Stop {
    Http(h2::Error),
    Other(NetError),
}

impl From<h2::Error> for Stop {
    fn from(error: h2::Error) -> Self {
        Self::Http(error)
    }
}

async fn call(
    requests: &mut SendRequest<Bytes>,
    url: &str,
    message: &[u8],
) -> Result<Option<String>, Stop> {
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, USER_AGENT)
        .body(());
    let no_url = |_| {
        Stop::Other(NetError::Address {
            address: "of a receiver".to_owned(),
            why: "it is no URL",
        })
    };
    let too_large = |limit| Stop::Other(NetError::Large { limit });
    let length = u32::try_from(message.len()).map_err(|_| too_large(u32::MAX as usize))?;
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    // First a flag for "not compressed", then the length.
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    std::future::poll_fn(|context| requests.poll_ready(context)).await?;
    let (answer, mut body) = requests.send_request(request.map_err(no_url)?, false)?;
    body.send_data(framed.freeze(), true)?;
    verdict(answer).await
}

/// The verdict of a call; nothing if it is OK.
async fn verdict(answer: ResponseFuture) -> Result<Option<String>, Stop> {
    let (head, mut body) = answer.await?.into_parts();
    if head.status != 200 {
        return Ok(Some(head.status.as_u16().to_string()));
    }
    let mut size = 0;
    while let Some(part) = body.data().await {
        let part = part?.len();
        size += part;
        if size > ANSWER_LIMIT {
            return Err(Stop::Other(NetError::Large {
                limit: ANSWER_LIMIT,
            }));
        }
        body.flow_control().release_capacity(part)?;
    }
    // In an answer without a message the verdict is in the head.
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(match status(&trailers).or_else(|| status(&head.headers)) {
        Some(0) => None,
        Some(number) => {
            let name = STATUSES.get(number).copied().unwrap_or("of no name");
            Some(format!("grpc-status {number} ({name})"))
        }
        None => Some("without a grpc-status".to_owned()),
    })
}

fn status(headers: &HeaderMap) -> Option<usize> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn broken(address: &str, error: &(dyn std::error::Error + 'static)) -> NetError {
    connect(address, deepest(error))
}

fn connect(address: &str, why: String) -> NetError {
    NetError::Connect {
        address: address.to_owned(),
        why,
    }
}
