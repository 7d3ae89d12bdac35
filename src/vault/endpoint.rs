//! Requests as endpoints: from `vaultrs` if it has them, and ours for the others.
//!
//! Logins are ours although `vaultrs` has them: its types keep the JWT in a plain `String` and copy
//! it once more during serialization.

use crate::base::wiped::WipedBytes;
use bytes::Bytes;
use http::Uri;
use rustify::endpoint::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde::Serialize;

use super::error::Cause;
use crate::net::{Call, NetError};

/// A placeholder for the server while a URL is built: only its path is used.
const ANYWHERE: &str = "http://vault/";

impl Call {
    /// The request of an endpoint, with its body in memory that is wiped.
    pub(super) fn from_endpoint(endpoint: &impl Endpoint) -> Result<Self, Cause> {
        let unusable = || NetError::Address {
            address: endpoint.path().trim().to_owned(),
            why: "it is no path",
        };
        let request = endpoint.request(ANYWHERE).map_err(|_| unusable())?;
        let (head, body) = request.into_parts();
        // An endpoint with an empty query leaves a `?` at the end; a `?` in a path would be
        // encoded.
        let target = format!("/v1{}", beneath_host(&head.uri).trim_end_matches('?'));
        Ok(Self {
            method: head.method,
            target: target.parse().map_err(|_| unusable())?,
            body: Bytes::from_owner(WipedBytes::from(body)),
        })
    }
}

fn beneath_host(uri: &Uri) -> &str {
    uri.path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str)
}

/// A request that `vaultrs` does not have.
pub(super) struct Own {
    method: RequestMethod,
    path: String,
    body: WipedBytes,
}

impl Own {
    /// A read of any path.
    pub(super) fn read(path: &str) -> Self {
        Self {
            method: RequestMethod::GET,
            path: path.to_owned(),
            body: WipedBytes::default(),
        }
    }

    /// A write to any path. Without a body it requests an action.
    pub(super) fn write(path: &str, body: &[u8]) -> Self {
        Self {
            method: RequestMethod::POST,
            path: path.to_owned(),
            body: WipedBytes::from(body.to_vec()),
        }
    }

    /// Asks which mount a path is in. Any right beneath that mount is enough.
    pub(super) fn mount_of(path: &str) -> Self {
        Self::read(&format!("sys/internal/ui/mounts/{path}"))
    }

    /// A login at a mount of an auth method.
    pub(super) fn login(mount: &str, body: &impl Serialize) -> Self {
        let mut json = WipedBytes::default();
        serde_json::to_writer(&mut json, body).expect("strings always serialize into memory");
        Self {
            body: json,
            ..Self::write(&format!("auth/{mount}/login"), &[])
        }
    }
}

impl Endpoint for Own {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.path.clone()
    }

    fn method(&self) -> RequestMethod {
        self.method.clone()
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(self.body.to_vec()))
    }
}

/// The body for the kubernetes and jwt methods.
#[derive(Serialize)]
pub(super) struct JwtBody<'a> {
    pub(super) role: &'a str,
    pub(super) jwt: &'a str,
}

/// The body for the approle method.
#[derive(Serialize)]
pub(super) struct AppRoleBody<'a> {
    pub(super) role_id: &'a str,
    pub(super) secret_id: &'a str,
}

#[cfg(test)]
mod tests {
    use vaultrs::api::kv1::requests::GetSecretRequest;
    use vaultrs::api::kv2::requests::ReadSecretRequest;
    use vaultrs::api::sys::requests::UnwrapRequest;
    use vaultrs::api::token::requests::{LookupTokenSelfRequest, RevokeTokenSelfRequest};

    use super::*;

    fn check(endpoint: &impl Endpoint, want: &str) {
        let call = Call::from_endpoint(endpoint).expect("a request");
        let body = String::from_utf8_lossy(&call.body);
        assert_eq!(format!("{} {} {body}", call.method, call.target), want);
    }

    fn kv2(key: &str, version: Option<u64>) -> ReadSecretRequest {
        ReadSecretRequest {
            mount: "team/kv".to_owned(),
            path: key.to_owned(),
            version,
        }
    }

    #[test]
    fn every_request_asks_for_exactly_its_path() {
        check(&kv2("a/b", None), "GET /v1/team/kv/data/a/b ");
        check(&kv2("a/b", Some(7)), "GET /v1/team/kv/data/a/b?version=7 ");
        check(
            &kv2("ä b+c:d@e&f=g;h", None),
            "GET /v1/team/kv/data/%C3%A4%20b+c:d@e&f=g;h ",
        );
        check(&kv2("..a/.b.", None), "GET /v1/team/kv/data/..a/.b. ");
        let kv1 = GetSecretRequest {
            mount: "kv1".to_owned(),
            path: "data/a".to_owned(),
        };
        check(&kv1, "GET /v1/kv1/data/a ");
        check(
            &LookupTokenSelfRequest {},
            "GET /v1/auth/token/lookup-self ",
        );
        check(
            &RevokeTokenSelfRequest {},
            "POST /v1/auth/token/revoke-self ",
        );
        check(
            &UnwrapRequest { token: None },
            "POST /v1/sys/wrapping/unwrap ",
        );
        check(
            &Own::read("database/creds/ro"),
            "GET /v1/database/creds/ro ",
        );
        check(
            &Own::mount_of("kv/a b"),
            "GET /v1/sys/internal/ui/mounts/kv/a%20b ",
        );
        check(
            &Own::write("pki/issue/web", br#"{"common_name":"x"}"#),
            r#"POST /v1/pki/issue/web {"common_name":"x"}"#,
        );
        let body = JwtBody {
            role: "r\"s",
            jwt: "a.b.c",
        };
        check(
            &Own::login("team/jwt", &body),
            r#"POST /v1/auth/team/jwt/login {"role":"r\"s","jwt":"a.b.c"}"#,
        );
    }
}
