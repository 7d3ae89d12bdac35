//! GitHub Actions as an identity: the runner gives a JWT at the address in the job's environment.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;

use super::error::Cause;
use super::failure_reasons::{Outage, Setup};
use super::json;
use super::response::asked;
use super::token::Credential;
use crate::base::coding::percent;
use crate::base::material::{Node, SecretBytes};
use crate::net::{Answer, Call, NetError, Transport, Trust};

/// The address where a job gets its JWT, and the token for it. Only `main` reads them from the
/// environment.
pub struct Runner {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub token: SecretBytes,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may contain ids of the job.
        f.write_str("Runner(<redacted>)")
    }
}

impl Runner {
    /// The runner of a job; nothing unless both variables are set.
    pub fn from_variables(url: Option<String>, token: Option<String>) -> Option<Self> {
        let (url, token) = url.zip(token)?;
        Some(Self {
            url,
            token: SecretBytes::from(token),
        })
    }

    /// A new JWT with this audience.
    pub(super) async fn jwt(&self, audience: &str, deadline: Instant) -> Result<Credential, Cause> {
        // The certificate there is GitHub's: Vault's own CA is not used.
        let name = "of ACTIONS_ID_TOKEN_REQUEST_URL";
        let (transport, target) = Transport::to(self.url.trim(), name, Trust::of_system(), false)?;
        let joint = if target.query().is_some() { '&' } else { '?' };
        let target = format!("{target}{joint}audience={}", percent::encode(audience));
        let call = Call {
            method: Method::GET,
            target: target.parse().map_err(|_| NetError::Address {
                address: name.to_owned(),
                why: "it is no URL",
            })?,
            body: Bytes::new(),
        };
        let answer = transport.send(&call, &self.headers()?, deadline).await?;
        match answer.status {
            StatusCode::OK => token_in(&answer),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(Cause::from(Outage::Server {
                    status: status.as_u16(),
                    text: "from the runner's token service".to_owned(),
                    wait: asked(&answer),
                }))
            }
            _ => Err(Setup::NoRunner.into()),
        }
    }

    fn headers(&self) -> Result<HeaderMap, Cause> {
        let bearer = Credential::bearer(&self.token).map_err(|_| Setup::NoRunner)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, bearer.header());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(headers)
    }
}

fn token_in(answer: &Answer) -> Result<Credential, Cause> {
    let unclear = || Cause::not_vault("of the runner's token service");
    let json = serde_json::from_slice(&answer.body).map_err(|_| unclear())?;
    match json::node(json, 0)?.entry("value") {
        Some(Node::Text(jwt)) => Credential::parse(jwt).map_err(|_| unclear()),
        _ => Err(unclear()),
    }
}
