//! Signatures on copies: proof that keyferry made them, which only the holder of a key can give.
//!
//! Everyone who may write Secrets in a namespace can invent any label, annotation and field manager
//! there. So the label only says where to look, and the signature is the proof. It is a keyed MAC
//! over the copy's place, its source, the source's uid and version, and over which object in that
//! place is meant:
//!
//! - when a copy is moved to another place, or any of these parts changes, the signature is
//!   invalid;
//! - on an object that was made later in the same place, the signature proves nothing.
//!
//! The uid of a copy is known only after its creation, and a second write for each copy would be
//! too much. So the signature of a new copy contains the time of signing: an object that the server
//! made later than that is another object.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use crate::base::material::SecretBytes;
pub use crate::base::observed::Verdict;

/// The annotation that holds the signature.
pub const SIGNATURE: &str = "keyferry.io/signature";

/// The smallest length of a key, in bytes: the length of a MAC.
pub const KEY_SIZE: usize = 32;

/// The first bytes of everything that is signed, so that a signature cannot be used for another
/// purpose.
const PURPOSE: &str = "keyferry copy 1";

/// Our clock and the server's may differ by this many seconds; if they differ by more, a new copy
/// is signed twice.
const SKEW: i64 = 300;

/// Keys by name, and the Secret that holds them. The last name in order signs, all keys verify.
#[derive(Debug, PartialEq, Eq)]
pub struct Keys {
    at: ObjectPlace,
    keys: BTreeMap<String, SecretBytes>,
}

/// Why the content of a Secret cannot be used as keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkKeyError {
    /// The Secret is empty.
    #[error("it holds no key")]
    Empty,
    /// A key is so short that it could be guessed.
    #[error("its key `{0}` has less than {KEY_SIZE} bytes")]
    Short(String),
    /// The Secret is a copy: everyone who may write its source could choose our key.
    #[error("it carries annotations about copies")]
    Copied,
}

/// The signed facts about a copy.
#[derive(Debug, Clone, Copy)]
pub struct SignedStatement<'a> {
    /// Its kind.
    pub kind: CopiedKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The source of the copy.
    pub origin: CopyOrigin<'a>,
}

/// The source of a copy.
#[derive(Debug, Clone, Copy)]
pub enum CopyOrigin<'a> {
    /// An object with annotations, in one of its versions.
    Object(&'a ObjectPlace, Uid, ResourceVersion),
    /// A declaration of the configuration.
    Declared(&'a str),
}

/// Which object in a place the signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// An object that is created at this time, in seconds since 1970.
    Created(i64),
    /// The object with this uid.
    Object(Uid),
}

/// An object that carries a signature.
#[derive(Debug, Clone, Copy)]
pub struct Carrier<'a> {
    /// Its uid.
    pub uid: Uid,
    /// Its creation time, as the server states it.
    pub created: &'a str,
}

impl Keys {
    /// Reads the keys from the content of a Secret.
    pub fn read(
        at: ObjectPlace,
        content: impl IntoIterator<Item = (String, SecretBytes)>,
    ) -> Result<Self, MarkKeyError> {
        let keys: BTreeMap<String, SecretBytes> = content.into_iter().collect();
        if let Some((name, _)) = keys.iter().find(|(_, key)| key.len() < KEY_SIZE) {
            return Err(MarkKeyError::Short(name.clone()));
        }
        match keys.is_empty() {
            true => Err(MarkKeyError::Empty),
            false => Ok(Self { at, keys }),
        }
    }

    /// The Secret that holds the keys.
    pub fn place(&self) -> &ObjectPlace {
        &self.at
    }

    /// A second copy of all keys.
    pub fn content(&self) -> BTreeMap<String, SecretBytes> {
        let keys = self.keys.iter();
        keys.map(|(name, key)| (name.clone(), key.duplicate()))
            .collect()
    }

    /// The text of a signature; nothing if there is no key.
    pub fn sign(&self, statement: &SignedStatement<'_>, bound: Bound) -> Option<String> {
        let (name, key) = self.keys.last_key_value()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let mac = hmac::sign(&key, &statement.bytes(bound));
        let mac = URL_SAFE_NO_PAD.encode(mac.as_ref());
        Some(format!("{name}:{bound}:{mac}"))
    }

    /// Checks the signature text of an object against this statement.
    pub fn verify(
        &self,
        text: Option<&str>,
        statement: &SignedStatement<'_>,
        carrier: Carrier<'_>,
    ) -> Verdict {
        let Some(text) = text else {
            return Verdict::Unsigned;
        };
        match self.bound(text, statement) {
            Some(bound) if bound.is(carrier) => Verdict::Signed,
            Some(_) => Verdict::Unsigned,
            None => Verdict::Unknown,
        }
    }

    /// The object that a signature is for, if one of our keys made it.
    fn bound(&self, text: &str, statement: &SignedStatement<'_>) -> Option<Bound> {
        let mut parts = text.splitn(3, ':');
        let (name, bound, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let bound = Bound::parse(bound)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.keys.get(name)?.expose());
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&key, &statement.bytes(bound), &mac).ok()?;
        Some(bound)
    }
}

impl SignedStatement<'_> {
    /// The signed bytes: each part follows its length, so that two different statements never have
    /// the same bytes.
    fn bytes(&self, bound: Bound) -> Vec<u8> {
        let Self {
            kind,
            namespace,
            name,
            origin,
        } = self;
        let mut bytes = Vec::with_capacity(256);
        let mut add = |part: &str| {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        };
        add(PURPOSE);
        for part in [kind.name(), namespace, name, &bound.to_string()] {
            add(part);
        }
        match origin {
            CopyOrigin::Object(source, uid, version) => {
                add("object");
                for part in [&*source.namespace, &*source.name] {
                    add(part);
                }
                add(&uid.to_string());
                add(&version.to_string());
            }
            CopyOrigin::Declared(origin) => {
                add("declared");
                add(origin);
            }
        }
        bytes
    }
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(seconds) => seconds.parse().ok().map(Self::Created),
            None => Some(Uid::parse(text))
                .filter(|uid| uid.is_known())
                .map(Self::Object),
        }
    }

    fn is(self, carrier: Carrier<'_>) -> bool {
        match self {
            Self::Object(uid) => uid == carrier.uid,
            Self::Created(at) => carrier
                .created
                .parse::<Timestamp>()
                .is_ok_and(|created| created.as_second() <= at.saturating_add(SKEW)),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(at) => write!(f, "@{at}"),
            Self::Object(uid) => uid.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
