//! What no real Vault does when asked: garbage, redirects, 429, slow, hanging and endless bodies,
//! broken TLS, lost tokens.
//!
//! Tests carry the number of their row in the list of faults. Each fails when a token or a value
//! shows up in a log or error.

mod answers;
mod binary;
mod login;
mod network;
mod staying;
mod tls;
mod tokens;

use std::sync::Mutex;
use std::time::Duration;

use keyferry::base::failure::Failure;
use keyferry::config::{VaultAuth, VaultServer};
use serde_json::{Value, json};

use crate::support::process::Scratch;
use crate::support::session::{secret_file, server};
use crate::support::stub::{Reply, Request};

/// In the data of every answer.
const VALUE: &str = "c4nary-v4lue-/+x";
/// The token of a token file.
const TOKEN: &str = "s.c4naryTokenOfAFile24";
/// A token as a login gives it.
const GRANTED: &str = "s.c4naryTokenOfALogin24";
/// A JWT in form only.
const JWT: &str = "c4naryhead.c4narybody.c4narysign";

const SECRETS: &[&str] = &[VALUE, TOKEN, GRANTED, JWT];

/// Enough for anything that is not about waiting.
const SOON: Duration = Duration::from_secs(20);

/// A folder with `token` and `jwt` in it.
fn credentials() -> Scratch {
    let folder = Scratch::new("vault-stub");
    secret_file(folder.path(), "token", TOKEN);
    secret_file(folder.path(), "jwt", JWT);
    folder
}

/// A server to which the token file of the folder is the identity.
fn with_token(address: &str, folder: &Scratch) -> VaultServer {
    let file = folder.path().join("token");
    server(address, VaultAuth::Token { file })
}

/// A good answer of KV v2.
fn kv2() -> Reply {
    Reply::json(
        200,
        &envelope(&json!({
            "data": {"password": VALUE},
            "metadata": {"created_time": "t", "custom_metadata": null, "deletion_time": "", "destroyed": false, "version": 3},
        })),
    )
}

/// An answer of any engine.
fn envelope(data: &Value) -> Value {
    json!({
        "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": data, "wrap_info": null, "warnings": null, "auth": null,
    })
}

/// A granted login.
fn granted(token: &str, seconds: u64) -> Reply {
    Reply::json(
        200,
        &json!({
            "request_id": "r", "data": null,
            "auth": {"client_token": token, "accessor": "a", "lease_duration": seconds, "renewable": true, "token_type": "service"},
        }),
    )
}

/// A refusal of Vault's own.
fn errors(status: u16, texts: &[&str]) -> Reply {
    Reply::json(status, &json!({ "errors": texts }))
}

/// One answer after the other; the last one for ever.
fn in_turn(replies: Vec<Reply>) -> impl Fn(&Request) -> Reply + Send + Sync {
    let rest = Mutex::new(replies.into_iter().peekable());
    let last = Mutex::new(None::<Reply>);
    move |_| {
        let mut last = last.lock().expect("no test panics in here");
        if let Some(next) = rest.lock().expect("no test panics in here").next() {
            *last = Some(copy(&next));
            return next;
        }
        copy(last.as_ref().expect("at least one answer"))
    }
}

fn copy(reply: &Reply) -> Reply {
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => Reply::Answer {
            status: *status,
            headers: headers.clone(),
            body: body.clone(),
        },
        Reply::Hang => Reply::Hang,
        Reply::Drip { body, every } => Reply::Drip {
            body: body.clone(),
            every: *every,
        },
        Reply::Cut { length, body } => Reply::Cut {
            length: *length,
            body: body.clone(),
        },
        Reply::Endless => Reply::Endless,
        Reply::Raw(bytes) => Reply::Raw(bytes.clone()),
    }
}

/// Class and words of a failure.
fn fails<T: std::fmt::Debug>(result: Result<T, Failure>, class: &str, words: &[&str]) -> Failure {
    let failure = result.expect_err("must fail");
    assert_eq!(failure.class.word(), class, "{failure}");
    for word in words {
        assert!(failure.what.contains(word), "no {word:?} in: {failure}");
    }
    failure
}
