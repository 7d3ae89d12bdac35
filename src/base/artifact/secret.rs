//! Rules for the type and the data of a Kubernetes Secret. A type with special rules needs only a
//! row in [`TYPES`].

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use super::ObjectName;
use crate::base::failure::{Class, Fault};
use crate::base::material::SecretBytes;
use crate::base::printable;
use crate::base::wiped::WipedBytes;

mod docker_config;
mod tls;
mod x509;

pub use tls::validity;
pub(crate) use tls::{Certificate, links, pem};

/// Keys and their values.
pub type Data = BTreeMap<String, SecretBytes>;

/// The type of a Secret that names none.
pub const OPAQUE: &str = "Opaque";

/// Type of a Secret that ServiceAccounts pull images with.
pub const PULL: &str = "kubernetes.io/dockerconfigjson";

/// Type of a Secret with a certificate and key for TLS.
pub const TLS: &str = "kubernetes.io/tls";

/// The only key of a [`PULL`] Secret.
pub const PULL_KEY: &str = ".dockerconfigjson";

/// Rule for the data of a type. It corrects data that has one right form, and tells when the Secret
/// expires.
type Rule = fn(&mut Data, Timestamp) -> Result<Option<Timestamp>, Unfit>;

/// Types that a configuration names in short, and their rules.
const TYPES: [(&str, &str, Rule); 5] = [
    (OPAQUE, OPAQUE, |_, _| Ok(None)),
    ("dockerconfigjson", PULL, |data, _| {
        docker_config::check(present(data, PULL_KEY)?).map(|()| None)
    }),
    ("tls", TLS, |data, now| tls::put_right(data, now).map(Some)),
    ("basic-auth", "kubernetes.io/basic-auth", |data, _| {
        present(data, "username")?;
        present(data, "password")?;
        Ok(None)
    }),
    ("ssh-auth", "kubernetes.io/ssh-auth", |data, _| {
        let key = present(data, SSH_KEY)?;
        if !is_private_key(key.expose()) {
            return Err(Unfit::NoSshKey);
        }
        end_line(data, SSH_KEY);
        Ok(None)
    }),
];

const SSH_KEY: &str = "ssh-privatekey";

/// Sum of the decoded values, as the API server counts.
const MOST_BYTES: usize = 1 << 20;

/// A certificate that ends sooner is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Short names of types, as configurations have them.
pub fn short_types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(short, ..)| *short)
}

/// The full name of a type that we have rules for, from its short or its full one.
pub fn known_type(text: &str) -> Option<&'static str> {
    let short = text.strip_prefix("kubernetes.io/").unwrap_or(text);
    let known = TYPES.iter().find(|(known, ..)| *known == short);
    known.map(|(_, name, _)| *name)
}

/// Whether a type carries special rights, so that it is never written: Kubernetes fills or believes
/// the first two, and a Helm release is Helm's own state.
pub fn is_reserved(kind: &str) -> bool {
    matches!(
        kind,
        "kubernetes.io/service-account-token" | "bootstrap.kubernetes.io/token"
    ) || kind.starts_with("helm.sh/")
}

/// Whether the API server accepts this as a key of a Secret.
fn is_key(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&name.len())
        && name.bytes().all(plain)
        && name != "."
        && !name.starts_with("..")
}

/// Refuses names that cannot be keys.
pub fn check_keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<(), Unfit> {
    let illegal: Vec<&str> = keys.into_iter().filter(|key| !is_key(key)).collect();
    match illegal.is_empty() {
        true => Ok(()),
        false => Err(Unfit::Keys(printable::names(illegal))),
    }
}

/// Refuses reserved types and illegal keys, whatever the type's own rule.
pub fn check_form(kind: &str, data: &Data) -> Result<(), Unfit> {
    if is_reserved(kind) {
        return Err(Unfit::Reserved(kind.to_owned()));
    }
    check_keys(data.keys().map(String::as_str))
}

/// Makes data fit its type, or says why it does not fit. Data that has one right form, such as the
/// order of a chain, is corrected.
pub fn fit(at: &ObjectName, kind: &str, data: &mut Data, now: Timestamp) -> Result<(), Unfit> {
    check_form(kind, data)?;
    if let Some((_, _, rule)) = TYPES.iter().find(|(_, name, _)| *name == kind)
        && let Some(end) = rule(data, now)?
    {
        // An event, not a failure: the certificate is good today.
        if end.duration_since(now) < SOON {
            tracing::warn!(secret = %at, not_after = %end, "certificate ends soon");
        } else {
            tracing::debug!(secret = %at, not_after = %end, "certificate read");
        }
    }
    match data.values().map(SecretBytes::len).sum() {
        size if size > MOST_BYTES => Err(Unfit::TooLarge(size)),
        _ => Ok(()),
    }
}

fn present<'d>(data: &'d Data, key: &'static str) -> Result<&'d SecretBytes, Unfit> {
    data.get(key).ok_or_else(|| Unfit::Missing {
        key,
        there: printable::names(data.keys().map(String::as_str)),
    })
}

/// Any PEM block that OpenSSH may accept; only OpenSSH decides which kinds it accepts.
fn is_private_key(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        let text = text.trim();
        text.starts_with("-----BEGIN ") && text.ends_with(" PRIVATE KEY-----")
    })
}

/// Adds a missing last newline: without it, PEM breaks the text that is joined to it, and OpenSSH
/// does not read the key.
fn end_line(data: &mut Data, key: &str) {
    if let Some(text) = data.get_mut(key)
        && !text.expose().ends_with(b"\n")
    {
        let mut out = WipedBytes::with_capacity(text.len() + 1);
        out.write(text.expose());
        out.text("\n");
        *text = SecretBytes::from(out);
    }
}

/// Why data is no Secret of its type. Names and places only, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// A type that is never written.
    #[error("a Secret of type {} is never written", printable::name(.0))]
    Reserved(String),
    /// Names that are no keys.
    #[error("these names cannot be keys of a Secret: {0}")]
    Keys(String),
    /// More than a Secret holds.
    #[error("the values are {0} bytes together, and a Secret holds at most {MOST_BYTES}")]
    TooLarge(usize),
    /// A key that its type needs.
    #[error("there is no `{key}`, which a Secret of this type holds")]
    Missing {
        /// The key.
        key: &'static str,
        /// The keys that exist.
        there: String,
    },
    /// No key for SSH.
    #[error("`{SSH_KEY}` holds no private key in PEM")]
    NoSshKey,
    /// No logins for registries.
    #[error("`{PULL_KEY}` is no docker configuration (line {line}, column {column})")]
    NoLogin {
        /// Line of the error.
        line: usize,
        /// Column of the error.
        column: usize,
    },
    /// No certificate in this field.
    #[error("`{0}` holds no certificate in PEM")]
    NoCertificate(&'static str),
    /// No key for TLS.
    #[error("there is no private key in PEM that TLS can use")]
    NoKey,
    /// The key belongs to none of the certificates.
    #[error("the private key belongs to none of the certificates")]
    Mismatch,
    /// Certificates that have nothing to do with the first.
    #[error("{0} of the certificates do not belong to the chain of the first")]
    Stray(usize),
    /// A certificate that has expired: its place in the chain, and when it ended.
    #[error("certificate {0} of the chain expired at {1}")]
    Expired(usize, Timestamp),
    /// A certificate that is not valid yet: its place in the chain, and when it begins.
    #[error("certificate {0} of the chain is not valid before {1}")]
    NotYet(usize, Timestamp),
}

impl Fault for Unfit {
    fn class(&self) -> Class {
        match self {
            Self::Missing { .. } => Class::Missing,
            Self::NoSshKey | Self::NoLogin { .. } | Self::NoCertificate(_) | Self::NoKey => {
                Class::Corrupt
            }
            Self::Reserved(_)
            | Self::Keys(_)
            | Self::TooLarge(_)
            | Self::Mismatch
            | Self::Stray(_)
            | Self::Expired(..)
            | Self::NotYet(..) => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Reserved(_) => {
                "the cluster or Helm makes and trusts such objects; use another type"
            }
            Self::Keys(_) => {
                "keys are letters, digits, `-`, `_` and `.`, at most 253, without `..` in front"
            }
            Self::TooLarge(_) => "take less, or split it over several Secrets",
            Self::Missing { there, .. } => return Some(format!("the keys are {there}")),
            Self::NoSshKey => "it takes a `-----BEGIN … PRIVATE KEY-----` block",
            Self::NoLogin { .. } => {
                "it takes `{\"auths\": {\"SERVER\": \
                 {\"auth\": base64 of USER:PASSWORD}}}`, one server at least"
            }
            Self::NoCertificate(_) => "it takes `-----BEGIN CERTIFICATE-----` blocks",
            Self::NoKey => {
                "it takes an unencrypted PKCS #8, PKCS #1 or SEC 1 key: RSA, ECDSA or Ed25519"
            }
            Self::Mismatch => "take key and certificate from the same issue",
            Self::Stray(_) => "leave only the certificate and those that issued it",
            Self::Expired(..) => "renew it; the Secret keeps what it has",
            Self::NotYet(..) => "check the clocks of the issuer and of this machine",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests;
