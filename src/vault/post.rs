//! A POST to a server that is no Vault, over the same transport: bounded, checked, without
//! redirects to elsewhere.

use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use tokio::time::Instant;

use super::error::Cause;
use super::reasons::Setup;
use super::tls::Trust;
use super::transport::{Call, Transport};
use crate::base::failure::{Class, Failure};

/// What is sent, and where to.
pub struct Post {
    /// `https://host/path`, or `http://`.
    pub url: String,
    /// The only roots that are trusted (default: the system's).
    pub ca_file: Option<PathBuf>,
    /// JSON.
    pub body: String,
    /// Whether `http://` may leave this machine: only where nothing in it is secret.
    pub allow_plaintext: bool,
    /// Value of `X-Keyferry-Signature`.
    pub signature: Option<String>,
}

/// Sends it; anything but 2xx is a failure.
pub async fn post(post: Post, deadline: Instant) -> Result<(), Failure> {
    let status = send(post, deadline)
        .await
        .map_err(|cause| cause.of_a_message())?;
    match status {
        200..=299 => Ok(()),
        status => Err(Failure::new(
            Class::Unavailable,
            format!("the receiver answered {status}"),
        )),
    }
}

async fn send(post: Post, deadline: Instant) -> Result<u16, Cause> {
    // A path or query may hold a token, so no message has the address.
    let unusable = |why| Setup::Address {
        address: "of a receiver".to_owned(),
        why,
    };
    let uri: Uri = post.url.parse().map_err(|_| unusable("it is no URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(unusable("it lacks scheme or host").into());
    };
    let trust = Trust {
        ca_file: post.ca_file,
        server_name: None,
    };
    let transport = Transport::new(
        &format!("{scheme}://{authority}"),
        trust,
        post.allow_plaintext,
    )?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let call = Call {
        method: Method::POST,
        target: target.parse().map_err(|_| unusable("it is no URL"))?,
        body: Bytes::from(post.body),
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(signature) = post.signature {
        let value = HeaderValue::from_str(&signature).map_err(|_| unusable("its signature"))?;
        headers.insert("x-keyferry-signature", value);
    }
    let answer = transport.send(&call, &headers, deadline).await?;
    Ok(answer.status.as_u16())
}
