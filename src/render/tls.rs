//! A TLS Secret: the key is that of the certificate, the chain is whole and in order, and it has not expired.
//!
//! What is given as `tls.crt` and `tls.key` is delivered as it is, unless its certificates are only in the wrong order:
//! then they are put right, since servers send them as they stand. Vault's PKI names (`certificate`, `private_key`,
//! `ca_chain`, `issuing_ca`) are understood too; a root among them goes to `ca.crt`, not into the chain.
//!
//! What is not wiped: the base64 lines of the key inside rustls-pki-types' reader. Its DER is, and so is aws-lc's key.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::format::base64;
use crate::format::wiped::Wiped;
use crate::material::{Node, SecretBytes};
use crate::report::{Class, Fault};

use super::field::{FieldError, Fields};
use super::x509::{self, Facts};

/// Keys of the Secret, and when its certificate ends.
pub(super) struct Tls {
    pub data: BTreeMap<String, SecretBytes>,
    pub not_after: Timestamp,
}

/// A clock that is this much behind the issuer's is forgiven.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn build(fields: &Fields<'_>, now: Timestamp) -> Result<Tls, TlsError> {
    let given = Given::of(fields)?;
    let key = fields.bytes(given.key)?;
    let chain = Chain::ordered(given.certificates, key)?;
    chain.check_dates(now)?;
    let written = if chain.reordered || given.composed {
        chain.pem()
    } else {
        with_newline(fields.bytes(given.certificate)?)
    };
    let mut data = BTreeMap::from([
        ("tls.crt".to_owned(), written),
        ("tls.key".to_owned(), with_newline(key)),
    ]);
    if let Some(ca) = given.ca {
        data.insert("ca.crt".to_owned(), ca);
    }
    Ok(Tls {
        data,
        not_after: chain.links[0].facts.not_after,
    })
}

/// What the fields hold, whatever their names.
struct Given<'f> {
    certificate: &'f str,
    key: &'f str,
    certificates: Vec<Link>,
    /// Whether the chain was put together from several fields.
    composed: bool,
    ca: Option<SecretBytes>,
}

impl Given<'static> {
    fn of(fields: &Fields<'_>) -> Result<Self, TlsError> {
        let one_of = |names: [&'static str; 2]| {
            let found = names.into_iter().find(|name| fields.named(name).is_some());
            found.unwrap_or(names[0])
        };
        let (certificate, key) = (
            one_of(["tls.crt", "certificate"]),
            one_of(["tls.key", "private_key"]),
        );
        let mut certificates = links(certificate, fields.bytes(certificate)?)?;
        let mut ca = match fields.named("ca.crt") {
            Some(_) => {
                let text = fields.bytes("ca.crt")?;
                links("ca.crt", text)?;
                Some(with_newline(text))
            }
            None => None,
        };
        let mut composed = false;
        if certificate == "certificate" {
            let (roots, between): (Vec<Link>, Vec<Link>) = issuers(fields)?
                .into_iter()
                .partition(|link| link.facts.is_self_issued());
            composed = !between.is_empty();
            let top = roots.first().or(between.last());
            if ca.is_none() {
                ca = top.map(|link| pem(std::slice::from_ref(link)));
            }
            certificates.extend(between);
        }
        Ok(Self {
            certificate,
            key,
            certificates,
            composed,
            ca,
        })
    }
}

/// Vault's `ca_chain`, a list; without one its `issuing_ca`.
fn issuers(fields: &Fields<'_>) -> Result<Vec<Link>, TlsError> {
    let mut found = Vec::new();
    if let Some(field) = fields.named("ca_chain") {
        if let Node::List(items) = field.value.node() {
            for item in items {
                let Node::Text(text) = item else {
                    return Err(TlsError::NoCertificate("ca_chain".to_owned()));
                };
                found.extend(links("ca_chain", text.expose())?);
            }
        } else {
            found.extend(links("ca_chain", fields.bytes("ca_chain")?)?);
        }
    }
    if found.is_empty() && fields.named("issuing_ca").is_some() {
        found.extend(links("issuing_ca", fields.bytes("issuing_ca")?)?);
    }
    Ok(found)
}

/// One certificate.
struct Link {
    der: CertificateDer<'static>,
    facts: Facts,
}

fn links(field: &str, pem: &[u8]) -> Result<Vec<Link>, TlsError> {
    let mut links = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| TlsError::NoCertificate(field.to_owned()))?;
        let facts = x509::read(&der).ok_or_else(|| TlsError::NoCertificate(field.to_owned()))?;
        links.push(Link { der, facts });
    }
    if links.is_empty() {
        return Err(TlsError::NoCertificate(field.to_owned()));
    }
    Ok(links)
}

/// From when until when the first certificate of a text is valid.
pub fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let links = links("certificate", pem).ok()?;
    let facts = &links.first()?.facts;
    Some((facts.not_before, facts.not_after))
}

/// From the key's own certificate upwards.
struct Chain {
    links: Vec<Link>,
    reordered: bool,
}

impl Chain {
    fn ordered(mut rest: Vec<Link>, key: &[u8]) -> Result<Self, TlsError> {
        let key = Zeroizing::new(PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?);
        let key = any_supported_type(&key).map_err(|_| TlsError::NoKey)?;
        let mut leaf = None;
        for (index, link) in rest.iter().enumerate() {
            let pair = CertifiedKey::new(vec![link.der.clone()], key.clone());
            if pair.keys_match().is_ok() {
                leaf = Some(index);
                break;
            }
        }
        let mut next = leaf.ok_or(TlsError::Mismatch)?;
        let mut reordered = false;
        let mut links = Vec::new();
        loop {
            reordered |= next != 0;
            let link = rest.remove(next);
            let before = rest.len();
            rest.retain(|other| other.der != link.der);
            reordered |= rest.len() != before;
            let top = link.facts.is_self_issued();
            let issuer = |other: &Link| other.facts.subject == link.facts.issuer;
            let above = rest.iter().position(issuer);
            links.push(link);
            match above {
                Some(above) if !top => next = above,
                Some(_) | None => break,
            }
        }
        if rest.is_empty() {
            Ok(Self { links, reordered })
        } else {
            Err(TlsError::Stray(rest.len()))
        }
    }

    fn check_dates(&self, now: Timestamp) -> Result<(), TlsError> {
        for (index, link) in self.links.iter().enumerate() {
            let Facts {
                not_before,
                not_after,
                ..
            } = link.facts;
            // A root in the chain is for show: who trusts it has his own.
            if index > 0 && link.facts.is_self_issued() {
                continue;
            }
            if not_after < now {
                return Err(TlsError::Expired(index + 1, not_after));
            }
            if not_before > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
                return Err(TlsError::NotYet(index + 1, not_before));
            }
        }
        Ok(())
    }

    fn pem(&self) -> SecretBytes {
        pem(&self.links)
    }
}

fn pem(links: &[Link]) -> SecretBytes {
    let mut out = Wiped::default();
    for link in links {
        out.text("-----BEGIN CERTIFICATE-----\n");
        for line in base64::encode(&link.der).as_bytes().chunks(64) {
            out.push(line);
            out.text("\n");
        }
        out.text("-----END CERTIFICATE-----\n");
    }
    out.into_secret()
}

/// PEM that lacks the last newline breaks what is joined to it, and OpenSSH does not read it at all.
pub(super) fn with_newline(text: &[u8]) -> SecretBytes {
    let mut out = Wiped::default();
    out.push(text);
    if !text.ends_with(b"\n") {
        out.text("\n");
    }
    out.into_secret()
}

/// Why fields make no TLS Secret.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum TlsError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("field `{0}` holds no certificate in PEM")]
    NoCertificate(String),
    #[error("there is no private key in PEM that TLS can use")]
    NoKey,
    #[error("the private key belongs to none of the certificates")]
    Mismatch,
    #[error("{0} of the certificates do not belong to the chain of the first")]
    Stray(usize),
    #[error("certificate {0} of the chain expired at {1}")]
    Expired(usize, Timestamp),
    #[error("certificate {0} of the chain is not valid before {1}")]
    NotYet(usize, Timestamp),
}

impl Fault for TlsError {
    fn class(&self) -> Class {
        match self {
            Self::Field(error) => error.class(),
            Self::NoCertificate(_) | Self::NoKey => Class::Corrupt,
            Self::Mismatch | Self::Stray(_) | Self::Expired(..) | Self::NotYet(..) => {
                Class::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Field(error) => return error.hint(),
            Self::NoCertificate(_) => "it takes `-----BEGIN CERTIFICATE-----` blocks".to_owned(),
            Self::NoKey => {
                "it takes an unencrypted PKCS #8, PKCS #1 or SEC 1 key: RSA, ECDSA or Ed25519"
                    .to_owned()
            }
            Self::Mismatch => "take key and certificate from the same issue".to_owned(),
            Self::Stray(_) => "leave only the certificate and those that issued it".to_owned(),
            Self::Expired(..) => "renew it; the Secret keeps what it has".to_owned(),
            Self::NotYet(..) => "check the clocks of the issuer and of this machine".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
