//! Signatures on copies: what keyferry made, as only the holder of a key can say it.
//!
//! Whoever may write Secrets in a namespace can invent every label, annotation and field manager
//! there. So the label says where to look, and the signature says what is true: a keyed MAC over
//! the copy's place, its source, the source's uid and version, and over which object in that place
//! is meant:
//!
//! - moved to another place, or changed in any of these, a signature fits no more;
//! - put on an object that was made later in the same place, it says nothing about that one.
//!
//! A copy's own uid is only known after it was created, and a second write for each would be too
//! much. So what is created is bound to the time of signing: an object that the server made later
//! than that is another one.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::place::{CopiedKind, ObjectPlace, ResourceVersion, Uid};
use crate::base::material::SecretBytes;
pub use crate::base::observed::Verdict;

/// The annotation that holds it.
pub const SIGNATURE: &str = "keyferry.io/signature";

/// Bytes of a key, at least: as many as a MAC has.
pub const KEY_SIZE: usize = 32;

/// Before everything that is signed, so that the keys can never be used for something else.
const PURPOSE: &str = "keyferry copy 1";

/// Our clock and the server's may differ by so many seconds; by more, a new copy is signed twice.
const SKEW: i64 = 300;

/// Keys by name, and the Secret that holds them. The last name in order signs, all of them verify.
#[derive(Debug, PartialEq, Eq)]
pub struct Keys {
    at: ObjectPlace,
    keys: BTreeMap<String, SecretBytes>,
}

/// Why the content of a Secret cannot be used as keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkKeyError {
    /// It holds nothing.
    #[error("it holds no key")]
    Empty,
    /// A key that could be guessed.
    #[error("its key `{0}` has less than {KEY_SIZE} bytes")]
    Short(String),
    /// Who may write the source of a copy would choose our key.
    #[error("it carries annotations about copies")]
    Copied,
}

/// What is signed of a copy.
#[derive(Debug, Clone, Copy)]
pub struct SignedStatement<'a> {
    /// Its kind.
    pub kind: CopiedKind,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Of what it is a copy.
    pub origin: CopyOrigin<'a>,
}

/// Of what something is a copy.
#[derive(Debug, Clone, Copy)]
pub enum CopyOrigin<'a> {
    /// Of an object with annotations, in one of its versions.
    Object(&'a ObjectPlace, Uid, ResourceVersion),
    /// Of what a configuration declares.
    Declared(&'a str),
}

/// Which object in a place is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// One that is being created at this time, in seconds since 1970.
    Created(i64),
    /// One that stands there.
    Object(Uid),
}

/// An object that carries a signature.
#[derive(Debug, Clone, Copy)]
pub struct Carrier<'a> {
    /// Its uid.
    pub uid: Uid,
    /// When the server made it, as it says so.
    pub created: &'a str,
}

impl Keys {
    /// The content of a Secret.
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

    /// The Secret that holds them.
    pub fn at(&self) -> &ObjectPlace {
        &self.at
    }

    /// Second owners of them all.
    pub fn content(&self) -> BTreeMap<String, SecretBytes> {
        let keys = self.keys.iter();
        keys.map(|(name, key)| (name.clone(), key.duplicate()))
            .collect()
    }

    /// The text of a signature; nothing where there is no key.
    pub fn sign(&self, statement: &SignedStatement<'_>, bound: Bound) -> Option<String> {
        let (name, key) = self.keys.last_key_value()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
        let mac = hmac::sign(&key, &statement.bytes(bound));
        let mac = URL_SAFE_NO_PAD.encode(mac.as_ref());
        Some(format!("{name}:{bound}:{mac}"))
    }

    /// What the text of a signature says of an object about which this is stated.
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

    /// Which object a signature is of, if a key of ours made it.
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
    /// Each part with its length before it, so that no two statements are the same bytes.
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
