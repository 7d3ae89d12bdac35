//! A secret id that arrives wrapped. Its token is checked before use: with a token that somebody
//! else made, we would log in with an identity of their choice.

use vaultrs::api::sys::requests::UnwrapRequest;

use super::client::ServerLink;
use super::endpoint::Own;
use super::error::Cause;
use super::failure_reasons::ServerRefusal;
use super::response::Reply;
use super::token::{Credential, Token};
use crate::base::material::Node;
use crate::base::redact::without_secrets;
use crate::net::Call;

/// Unwraps the secret id of an approle mount. The wrapping token works only once.
pub(super) async fn secret_id(
    link: &ServerLink,
    wrapping: Credential,
    mount: &str,
) -> Result<Credential, Cause> {
    let token = Token::borrowed(wrapping, 0);
    // The token is sent as the header: the types of `vaultrs` would put it into a body that is not
    // wiped.
    let lookup = Call::from_endpoint(&Own::write("sys/wrapping/lookup", b""))?;
    let seen = ask(link, &lookup, &token).await?;
    let path = match seen.data.entry("creation_path") {
        Some(Node::Text(path)) => path.expose_str().unwrap_or_default(),
        _ => return Err(Cause::not_vault("a wrapping token without creation_path")),
    };
    if !makes_secret_ids(path, mount) {
        let refusal = ServerRefusal::WrongWrap {
            found: without_secrets(path, &[]),
            mount: mount.to_owned(),
        };
        return Err(refusal.into());
    }
    let unwrap = Call::from_endpoint(&UnwrapRequest { token: None })?;
    let unwrapped = ask(link, &unwrap, &token).await?;
    let secret_id = match unwrapped.data.entry("secret_id") {
        Some(Node::Text(secret_id)) => Credential::parse(secret_id).ok(),
        _ => None,
    };
    secret_id.ok_or_else(|| Cause::not_vault("a wrapped answer without secret_id"))
}

/// Sends a request; if the wrapping token is refused, the error says what that means.
async fn ask(link: &ServerLink, call: &Call, token: &Token) -> Result<Reply, Cause> {
    let answer = link.persist(call, token).await;
    match answer {
        Err(Cause::Refusal(_)) => Err(ServerRefusal::Unwrapped.into()),
        answer => answer,
    }
}

/// Whether a path creates secret ids of this mount.
fn makes_secret_ids(path: &str, mount: &str) -> bool {
    path.strip_prefix(&format!("auth/{mount}/role/"))
        .and_then(|rest| rest.strip_suffix("/secret-id"))
        .is_some_and(|role| !role.is_empty() && !role.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secret_ids_of_the_mount_are_unwrapped() {
        let rows = [
            ("auth/approle/role/web/secret-id", true),
            ("auth/approle/role/web/custom-secret-id", false),
            ("auth/approle/role//secret-id", false),
            ("auth/approle/role/a/b/secret-id", false),
            ("auth/other/role/web/secret-id", false),
            ("auth/approle/login", false),
            ("cubbyhole/auth/approle/role/web/secret-id", false),
            ("sys/wrapping/wrap", false),
            ("", false),
        ];
        for (path, want) in rows {
            assert_eq!(makes_secret_ids(path, "approle"), want, "{path}");
        }
    }
}
