//! Checks a TLS Secret: the key fits the certificate, the chain is whole and in order, and no
//! certificate has expired.
//!
//! Not wiped: the base64 lines of the key inside rustls-pki-types' reader. The key's DER and
//! aws-lc's key are wiped.

use jiff::{SignedDuration, Timestamp};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::x509::{self, Facts};
use super::{Data, Unfit, end_line, present};
use crate::base::coding::base64;
use crate::base::material::SecretBytes;
use crate::base::wiped::WipedBytes;

/// Our clock may be this much behind the issuer's.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Checks key and chain, and tells when the first certificate ends. A chain is written again only
/// if it is in another order than servers send it in.
pub(super) fn put_right(data: &mut Data, now: Timestamp) -> Result<Timestamp, Unfit> {
    let certificates = links("tls.crt", present(data, "tls.crt")?.expose())?;
    let chain = Chain::ordered(certificates, present(data, "tls.key")?.expose())?;
    chain.check_dates(now)?;
    // An issuer without its own authority leaves `ca.crt` empty.
    if let Some(ca) = data.get("ca.crt").filter(|ca| !ca.is_empty()) {
        links("ca.crt", ca.expose())?;
        end_line(data, "ca.crt");
    }
    if chain.reordered {
        data.insert("tls.crt".to_owned(), pem(&chain.links));
    }
    end_line(data, "tls.crt");
    end_line(data, "tls.key");
    Ok(chain.links[0].facts.not_after)
}

/// One certificate.
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
    facts: Facts,
}

impl Certificate {
    /// Whether the certificate issued itself.
    pub(crate) fn is_root(&self) -> bool {
        self.facts.is_self_issued()
    }
}

/// The certificates in a text; `field` names the field or key in errors.
pub(crate) fn links(field: &'static str, pem: &[u8]) -> Result<Vec<Certificate>, Unfit> {
    let mut links = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| Unfit::NoCertificate(field))?;
        let facts = x509::read(&der).ok_or(Unfit::NoCertificate(field))?;
        links.push(Certificate { der, facts });
    }
    if links.is_empty() {
        return Err(Unfit::NoCertificate(field));
    }
    Ok(links)
}

/// From when until when the first certificate of a text is valid.
pub fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let links = links("certificate", pem).ok()?;
    let facts = &links.first()?.facts;
    Some((facts.not_before, facts.not_after))
}

/// Certificates from the key's own upwards.
struct Chain {
    links: Vec<Certificate>,
    reordered: bool,
}

impl Chain {
    fn ordered(mut rest: Vec<Certificate>, key: &[u8]) -> Result<Self, Unfit> {
        let key = Zeroizing::new(PrivateKeyDer::from_pem_slice(key).map_err(|_| Unfit::NoKey)?);
        let key = any_supported_type(&key).map_err(|_| Unfit::NoKey)?;
        // rustls' own comparison takes a certificate that it cannot read for a stranger's: one of
        // version 1, or with a critical extension that it does not know.
        let public = key.public_key().ok_or(Unfit::NoKey)?;
        let leaf = |link: &Certificate| link.facts.public_key == public.as_ref();
        let mut next = rest.iter().position(leaf).ok_or(Unfit::Mismatch)?;
        let mut reordered = false;
        let mut links = Vec::new();
        loop {
            reordered |= next != 0;
            let link = rest.remove(next);
            let before = rest.len();
            rest.retain(|other| other.der != link.der);
            reordered |= rest.len() != before;
            let top = link.facts.is_self_issued();
            let issuer = |other: &Certificate| other.facts.subject == link.facts.issuer;
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
            Err(Unfit::Stray(rest.len()))
        }
    }

    fn check_dates(&self, now: Timestamp) -> Result<(), Unfit> {
        for (index, link) in self.links.iter().enumerate() {
            let Facts {
                not_before,
                not_after,
                ..
            } = link.facts;
            // A root in the chain is useless: a client that trusts the root has its own copy.
            if index > 0 && link.facts.is_self_issued() {
                continue;
            }
            if not_after < now {
                return Err(Unfit::Expired(index + 1, not_after));
            }
            if not_before > now.saturating_add(SKEW).unwrap_or(Timestamp::MAX) {
                return Err(Unfit::NotYet(index + 1, not_before));
            }
        }
        Ok(())
    }
}

/// Certificates one after the other.
pub(crate) fn pem<'l>(links: impl IntoIterator<Item = &'l Certificate>) -> SecretBytes {
    let mut out = WipedBytes::default();
    for link in links {
        out.text("-----BEGIN CERTIFICATE-----\n");
        for line in base64::encode(&link.der).as_bytes().chunks(64) {
            out.write(line);
            out.text("\n");
        }
        out.text("-----END CERTIFICATE-----\n");
    }
    SecretBytes::from(out)
}
