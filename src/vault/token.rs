//! Credentials that can be sent, and a Vault token with its lifetime.

use crate::base::wiped::WipedBytes;
use bytes::Bytes;
use http::HeaderValue;
use tokio::time::{Duration, Instant};

use super::error::Cause;
use super::lifetime::seconds_in;
use crate::base::material::{Node, SecretBytes};

/// A token, JWT or id: one line of printable ASCII, so a header cannot become two headers. Its
/// bytes are wiped with the last owner.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential(HeaderValue);

impl Credential {
    /// Trims and checks the bytes.
    pub(super) fn parse(bytes: &SecretBytes) -> Result<Self, &'static str> {
        Self::with_prefix("", bytes)
    }

    /// The same as the value of an `Authorization` header.
    pub(super) fn bearer(bytes: &SecretBytes) -> Result<Self, &'static str> {
        Self::with_prefix("Bearer ", bytes)
    }

    fn with_prefix(prefix: &str, bytes: &SecretBytes) -> Result<Self, &'static str> {
        let trimmed = bytes.expose().trim_ascii();
        if trimmed.is_empty() {
            return Err("it is empty");
        }
        if !trimmed.iter().all(u8::is_ascii_graphic) {
            return Err("it has a space, a line break or a sign that no credential has");
        }
        let owned = WipedBytes::from([prefix.as_bytes(), trimmed].concat());
        let mut header = HeaderValue::from_maybe_shared(Bytes::from_owner(owned))
            .map_err(|_| "it has a sign that no header has")?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// For bodies of logins, and for removing it from texts.
    pub(super) fn expose_str(&self) -> &str {
        self.0.to_str().expect("checked to be printable ASCII")
    }
}

/// A token from a login or a file.
pub(super) struct Token {
    pub(super) credential: Credential,
    /// How long it is valid, if the login said so.
    pub(super) life: Option<TokenLife>,
    /// Whether we may revoke it at the end: it belongs to us alone, and its kind can be revoked.
    pub(super) revocable: bool,
    /// Number of the token in its session.
    pub(super) generation: u64,
}

/// How long a token is valid, from the login's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenLife {
    /// When the login was sent.
    pub(super) since: Instant,
    /// The time from then on.
    pub(super) span: Duration,
    /// Whether it can be renewed.
    pub(super) renewable: bool,
}

impl Token {
    /// The token of a login's answer.
    pub(super) fn granted(auth: &Node, generation: u64, since: Instant) -> Result<Self, Cause> {
        let no_token = || Cause::not_vault("a login without a token");
        let Some(Node::Text(token)) = auth.entry("client_token") else {
            return Err(no_token());
        };
        let span = seconds_in(auth, "lease_duration").map(Duration::from_secs);
        let is_batch = auth
            .entry("token_type")
            .is_some_and(|kind| *kind == Node::text("batch"));
        Ok(Self {
            credential: Credential::parse(token).map_err(|_| no_token())?,
            // No duration, or a duration of zero, means a token without an end.
            life: span.filter(|span| !span.is_zero()).map(|span| TokenLife {
                since,
                span,
                renewable: auth.entry("renewable") == Some(&Node::Bool(true)),
            }),
            revocable: !is_batch,
            generation,
        })
    }

    /// A token that somebody else obtained, renews and revokes.
    pub(super) fn borrowed(credential: Credential, generation: u64) -> Self {
        Self {
            credential,
            life: None,
            revocable: false,
            generation,
        }
    }

    /// The same token with a new lifetime.
    pub(super) fn prolonged(&self, life: TokenLife) -> Self {
        Self {
            credential: self.credential.clone(),
            life: Some(life),
            revocable: self.revocable,
            generation: self.generation,
        }
    }

    /// Whether its time is over.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        self.life.is_some_and(|TokenLife { since, span, .. }| {
            now.saturating_duration_since(since) >= span
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_16_credentials_are_trimmed_and_checked() {
        let rows: [(&[u8], Result<&str, ()>); 9] = [
            (b"s.abc", Ok("s.abc")),
            (b"\t s.abc \r\n", Ok("s.abc")),
            (b"a.b-c_d~e+f/g=", Ok("a.b-c_d~e+f/g=")),
            (b"", Err(())),
            (b" \n", Err(())),
            (b"s.abc\nX-Evil: 1", Err(())),
            (b"s.\0abc", Err(())),
            ("s.äbc".as_bytes(), Err(())),
            (b"s.abc s.def", Err(())),
        ];
        for (bytes, want) in rows {
            let bytes = SecretBytes::from(bytes);
            let credential = Credential::parse(&bytes);
            let text = credential.as_ref().map(Credential::expose_str);
            assert_eq!(text.map_err(|_| ()), want);
            for header in [Credential::parse(&bytes), Credential::bearer(&bytes)]
                .into_iter()
                .flatten()
                .map(|credential| credential.header())
            {
                assert!(header.is_sensitive() && !format!("{header:?}").contains("abc"));
            }
        }
    }

    #[test]
    fn a_token_ends_when_its_login_said() {
        let since = Instant::now();
        let token = |seconds: &str| {
            let auth = Node::Map(vec![
                ("client_token".to_owned(), Node::text("s.abc")),
                (
                    "lease_duration".to_owned(),
                    Node::Number(SecretBytes::from(seconds)),
                ),
            ]);
            Token::granted(&auth, 1, since).expect("a token")
        };
        let rows = [
            ("2", 1, false),
            ("2", 2, true),
            ("0", 99, false),
            ("x", 99, false),
        ];
        for (seconds, later, spent) in rows {
            let now = since + Duration::from_secs(later);
            assert_eq!(token(seconds).is_spent(now), spent, "{seconds} {later}");
        }
    }
}
