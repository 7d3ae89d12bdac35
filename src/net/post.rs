//! A POST for which only the receiver's acceptance matters.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::time::Instant;

use super::error::NetError;
use super::tls::Trust;
use super::transport::{Call, Transport};
use crate::base::failure::{Class, Failure};

/// A request: its content and its address.
pub(crate) struct Post {
    /// `https://host/path`, or `http://`.
    pub(crate) url: String,
    /// The only trusted roots; without it, the system's.
    pub(crate) ca_file: Option<PathBuf>,
    /// The body, as JSON.
    pub(crate) body: String,
    /// Whether `http://` may leave this machine: set it only if the body holds no secret.
    pub(crate) allow_plaintext: bool,
    /// Value of `X-Keyferry-Signature`.
    pub(crate) signature: Option<String>,
}

/// Sends the request; any status but 2xx is a failure.
pub(crate) async fn post(post: Post, deadline: Instant) -> Result<(), Failure> {
    let status = send(post, deadline)
        .await
        .map_err(|error| error.of_a_message())?;
    match status {
        200..=299 => Ok(()),
        status => Err(Failure::new(
            Class::Unavailable,
            format!("the receiver answered {status}"),
        )),
    }
}

async fn send(post: Post, deadline: Instant) -> Result<u16, NetError> {
    let trust = Trust {
        ca_file: post.ca_file,
        server_name: None,
    };
    let (transport, target) =
        Transport::to(&post.url, "of a receiver", trust, post.allow_plaintext)?;
    let call = Call {
        method: Method::POST,
        target,
        body: Bytes::from(post.body),
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(signature) = post.signature {
        let value = HeaderValue::from_str(&signature).map_err(|_| NetError::Address {
            address: "of a receiver".to_owned(),
            why: "its signature",
        })?;
        headers.insert("x-keyferry-signature", value);
    }
    let answer = transport.send(&call, &headers, deadline).await?;
    Ok(answer.status.as_u16())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_receiver_that_does_not_speak_http_is_named_as_what_it_is() {
        for (answer, why) in [
            ("SSH-2.0-x\r\n", "what answers does not speak HTTP"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                "the answer broke off",
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let served = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let got = stream.read(&mut [0; 1024]).await.expect("a request");
                assert!(got > 0);
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("it is open");
            });
            let message = Post {
                url: format!("http://{address}/v1/metrics"),
                ca_file: None,
                body: "{}".to_owned(),
                allow_plaintext: true,
                signature: None,
            };
            let told = post(message, Instant::now() + Duration::from_secs(5)).await;
            let failure = told.expect_err("no answer");
            let want = format!("the message was not taken: {why}");
            assert_eq!((failure.class, failure.what), (Class::Unavailable, want));
            served.await.expect("served");
        }
    }
}
