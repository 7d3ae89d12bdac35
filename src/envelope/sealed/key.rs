//! Private keys of the sealed-secrets controller, from whatever people keep as their backup.
//!
//! Two forms are read: a PEM file (PKCS#1 as the controller writes it, or PKCS#8), and the manifest
//! that `kubectl get secret -l sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` prints: a List
//! of Secrets with `tls.key`, or single Secrets. Like the controller, we use only keys labelled
//! `active`; a key that is `compromised` is skipped and named. Secrets without that label are used
//! too: the controller before 0.9 set none, and a person who names a file means it.
//!
//! A key is identified by the fingerprint of its public half, as upstream computes it: OpenSSH's
//! `SHA256:…` of the RSA key. The public certificate gives the same fingerprint: `openssl x509
//! -pubkey -noout | ssh-keygen -i -m PKCS8 -f /dev/stdin | ssh-keygen -lf -`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::der;
use crate::base::material::SecretBytes;
use crate::envelope::manifest::{self, RawSecret};
use crate::format::document;

mod error;
#[cfg(test)]
mod tests;

pub use error::{KeyProblem, SealingKeyError};

/// Label of a Secret that holds a key of the controller. Its value says whether the key is still
/// good.
pub const KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// Bits of a usable key: smaller ones can be broken, and the crypto library reads no larger ones.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

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
    /// Fingerprint of the public half, `SHA256:…`.
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

/// All keys at hand. Remembers the key that opened a value last: values that were sealed together
/// open with the same key.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<SealingKey>,
    passed_over: Vec<String>,
    latest: AtomicUsize,
}

impl Keyring {
    /// Adds the keys of a file, a Vault field or anything else that holds PEM or a manifest.
    /// `origin` names it in messages.
    pub fn add(&mut self, origin: &str, bytes: &SecretBytes) -> Result<(), SealingKeyError> {
        if let Some(text) = bytes.expose_str().filter(|text| der::is_pem(text)) {
            return self.add_pem(text).map_err(problem(origin));
        }
        let documents =
            document::objects(bytes.expose()).map_err(|cause| SealingKeyError::NotAKey {
                origin: origin.to_owned(),
                cause,
            })?;
        let manifest = |cause| SealingKeyError::Manifest {
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

    /// Adds the key of one Secret of the controller, unless the label says that the key is no
    /// longer good.
    pub fn add_secret(
        &mut self,
        origin: &str,
        labels: &BTreeMap<String, String>,
        data: &BTreeMap<String, SecretBytes>,
    ) -> Result<(), SealingKeyError> {
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

    /// Secrets whose key is not used, because of their label.
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

    /// Remembers the key that opened a value last.
    pub(super) fn remember(&self, at: usize) {
        self.latest.store(at, Ordering::Relaxed);
    }

    pub(super) fn fingerprint(&self, at: usize) -> Option<&str> {
        self.keys.get(at).map(SealingKey::fingerprint)
    }
}

fn problem(origin: &str) -> impl Fn(KeyProblem) -> SealingKeyError {
    let origin = origin.to_owned();
    move |problem| SealingKeyError::Problem {
        origin: origin.clone(),
        problem,
    }
}
