//! Private keys of the sealed-secrets controller, from whatever people keep as their backup.
//!
//! Read are: a PEM file (PKCS#1 as the controller writes it, or PKCS#8), and the manifest that `kubectl get secret -l
//! sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` prints: a List of Secrets with `tls.key`, or single ones. As in the
//! controller only a key labelled `active` is used; one that is `compromised` is passed over and named. Secrets without that
//! label are used too: the controller before 0.9 set none, and whoever names a file means it.
//!
//! A key is known by the fingerprint of its public half, as upstream computes it: OpenSSH's `SHA256:…` of the RSA key. It can be
//! had from the certificate that everybody knows: `openssl x509 -pubkey -noout | ssh-keygen -i -m PKCS8 -f /dev/stdin | ssh-keygen -lf -`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::der;
use crate::manifest::document::{self, DocumentError};
use crate::manifest::{self, ManifestError, RawSecret};
use crate::material::SecretBytes;
use crate::report::{Class, Fault};

/// Says in a Secret's labels that it holds a key of the controller, and whether the key is still good.
pub const KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// Smaller ones can be broken; the crypto library reads no larger ones.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why there is no sealing key where one was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor a manifest.
    #[error("{origin} is no sealing key: {cause}")]
    NotAKey {
        /// Where it came from.
        origin: String,
        /// Why it is no manifest either.
        cause: DocumentError,
    },
    /// A manifest that cannot be read.
    #[error("{origin} is no backup of sealing keys: {cause}")]
    Manifest {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        cause: ManifestError,
    },
    /// PEM or a Secret, but not the private key.
    #[error("{origin} {problem}")]
    Problem {
        /// Where it came from.
        origin: String,
        /// What it is instead.
        problem: KeyProblem,
    },
}

/// What something is instead of a sealing key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The public half.
    #[error("holds a certificate, and no private key")]
    Certificate,
    /// Needs a passphrase.
    #[error("holds a private key that is encrypted with a passphrase")]
    Encrypted,
    /// EC, DSA, SSH.
    #[error("holds a private key that is not RSA, or not in PKCS#1 or PKCS#8")]
    NotRsa,
    /// Cut or bent.
    #[error("holds a damaged private key")]
    Damaged,
    /// Too small or too large.
    #[error("holds an RSA key of {0} bits: 2048 to 8192 are used")]
    Bits(usize),
    /// No `tls.key`.
    #[error("has no `tls.key`")]
    NoTlsKey,
    /// Nothing at all.
    #[error("holds no sealing key")]
    Empty,
    /// All are retired.
    #[error("holds no active sealing key: {} is marked otherwise", .0.join(", "))]
    Retired(Vec<String>),
}

impl Fault for KeyError {
    fn class(&self) -> Class {
        Class::Corrupt
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAKey { .. } | Self::Manifest { .. } => {
                "give the PEM of a `tls.key`, or what `kubectl get secret -n kube-system -l \
                 sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` prints"
            }
            Self::Problem { problem, .. } => match problem {
                KeyProblem::Certificate | KeyProblem::NoTlsKey | KeyProblem::Empty => {
                    "the private key is the `tls.key` of a Secret of the sealed-secrets controller"
                }
                KeyProblem::Encrypted => {
                    "remove the passphrase: `openssl rsa -in KEY -out KEY.pem`"
                }
                KeyProblem::NotRsa | KeyProblem::Bits(_) => "sealed-secrets seals with RSA only",
                KeyProblem::Damaged => "take it from the cluster or the backup again",
                KeyProblem::Retired(_) => {
                    "label it sealedsecrets.bitnami.com/sealed-secrets-key=active to use it again"
                }
            },
        };
        Some(hint.to_owned())
    }
}

/// One private key.
pub struct SealingKey {
    key: OaepPrivateDecryptingKey,
    fingerprint: String,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.fingerprint)
    }
}

impl SealingKey {
    /// The public half's `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn oaep(&self) -> &OaepPrivateDecryptingKey {
        &self.key
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyProblem> {
        match der::look_into(pkcs8).ok_or(KeyProblem::Damaged)? {
            der::Pkcs8::Other => return Err(KeyProblem::NotRsa),
            der::Pkcs8::Rsa(bits) if !BITS.contains(&bits) => return Err(KeyProblem::Bits(bits)),
            der::Pkcs8::Rsa(_) => {}
        }
        let key = PrivateDecryptingKey::from_pkcs8(pkcs8).map_err(|_| KeyProblem::Damaged)?;
        let fingerprint = fingerprint(&key).ok_or(KeyProblem::Damaged)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyProblem::Damaged)?;
        Ok(Self { key, fingerprint })
    }
}

fn fingerprint(key: &PrivateDecryptingKey) -> Option<String> {
    let info: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
    let (modulus, exponent) = der::modulus_and_exponent(info.as_ref())?;
    let mut hash = Sha256::new();
    for field in [&b"ssh-rsa"[..], exponent, modulus] {
        hash.update(u32::try_from(field.len()).ok()?.to_be_bytes());
        hash.update(field);
    }
    Some(format!(
        "SHA256:{}",
        STANDARD_NO_PAD.encode(hash.finalize())
    ))
}

/// All keys at hand. Remembers which one opened something last: what was sealed together opens with the same.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<SealingKey>,
    passed_over: Vec<String>,
    latest: AtomicUsize,
}

impl Keyring {
    /// Adds the keys of a file, of a Vault field, of anything that holds PEM or a manifest. `origin` names it in messages.
    pub fn add(&mut self, origin: &str, bytes: &SecretBytes) -> Result<(), KeyError> {
        if let Some(text) = bytes.expose_str().filter(|text| der::is_pem(text)) {
            return self.add_pem(text).map_err(problem(origin));
        }
        let documents = document::parse(bytes.expose()).map_err(|cause| KeyError::NotAKey {
            origin: origin.to_owned(),
            cause,
        })?;
        let manifest = |cause| KeyError::Manifest {
            origin: origin.to_owned(),
            cause,
        };
        let mut secrets = Vec::new();
        for node in documents {
            for object in manifest::objects(node).map_err(manifest)? {
                secrets.push(RawSecret::read(object).map_err(manifest)?);
            }
        }
        let before = (self.keys.len(), self.passed_over.len());
        let found = secrets.len();
        for secret in secrets {
            let name = format!("{} in {origin}", secret.object());
            self.add_secret(&name, &secret.labels, &secret.data)?;
        }
        let retired = self.passed_over.get(before.1..).unwrap_or_default();
        if found == 0 {
            Err(problem(origin)(KeyProblem::Empty))
        } else if retired.len() == found {
            Err(problem(origin)(KeyProblem::Retired(retired.to_vec())))
        } else {
            Ok(())
        }
    }

    /// Adds the key of one Secret of the controller, unless its label says that it is no longer good.
    pub fn add_secret(
        &mut self,
        origin: &str,
        labels: &BTreeMap<String, String>,
        data: &BTreeMap<String, SecretBytes>,
    ) -> Result<(), KeyError> {
        if labels.get(KEY_LABEL).is_some_and(|state| state != "active") {
            self.passed_over.push(origin.to_owned());
            return Ok(());
        }
        let key = data
            .get("tls.key")
            .ok_or(KeyProblem::NoTlsKey)
            .map_err(problem(origin))?;
        let text = key
            .expose_str()
            .ok_or(KeyProblem::Damaged)
            .map_err(problem(origin))?;
        self.add_pem(text).map_err(problem(origin))
    }

    fn add_pem(&mut self, text: &str) -> Result<(), KeyProblem> {
        let mut found = false;
        let mut certificate = false;
        for block in der::pem_blocks(text) {
            match block.label.as_str() {
                "CERTIFICATE" | "PUBLIC KEY" | "RSA PUBLIC KEY" => {
                    certificate = true;
                    continue;
                }
                _ if block.encrypted => return Err(KeyProblem::Encrypted),
                "RSA PRIVATE KEY" => {
                    let pkcs1 = block.der.ok_or(KeyProblem::Damaged)?;
                    self.push(&der::pkcs8_of_pkcs1(&pkcs1))?;
                }
                "PRIVATE KEY" => self.push(&block.der.ok_or(KeyProblem::Damaged)?)?,
                _ => return Err(KeyProblem::NotRsa),
            }
            found = true;
        }
        match (found, certificate) {
            (true, _) => Ok(()),
            (false, true) => Err(KeyProblem::Certificate),
            (false, false) => Err(KeyProblem::Empty),
        }
    }

    fn push(&mut self, pkcs8: &[u8]) -> Result<(), KeyProblem> {
        let key = SealingKey::from_pkcs8(pkcs8)?;
        if !self
            .keys
            .iter()
            .any(|known| known.fingerprint == key.fingerprint)
        {
            self.keys.push(key);
        }
        Ok(())
    }

    /// Fingerprints of all keys, in the order they came.
    pub fn fingerprints(&self) -> Vec<&str> {
        self.keys.iter().map(SealingKey::fingerprint).collect()
    }

    /// Secrets whose key is there and not used, because their label says so.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// All keys in the order to try them.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (usize, &SealingKey)> {
        let latest = self.latest.load(Ordering::Relaxed);
        let others = self
            .keys
            .iter()
            .enumerate()
            .filter(move |(at, _)| *at != latest);
        self.keys
            .get(latest)
            .map(|key| (latest, key))
            .into_iter()
            .chain(others)
    }

    /// This one opened something.
    pub(super) fn remember(&self, at: usize) {
        self.latest.store(at, Ordering::Relaxed);
    }

    pub(super) fn fingerprint(&self, at: usize) -> Option<&str> {
        self.keys.get(at).map(SealingKey::fingerprint)
    }
}

fn problem(origin: &str) -> impl Fn(KeyProblem) -> KeyError {
    let origin = origin.to_owned();
    move |problem| KeyError::Problem {
        origin: origin.clone(),
        problem,
    }
}

#[cfg(test)]
mod tests;
