//! The keys of a TLS Secret, made from fields.
//!
//! Vault's PKI names (`certificate`, `private_key`, `ca_chain`, `issuing_ca`) are accepted too; a
//! root certificate among them goes to `ca.crt`, not into the chain.

use crate::base::artifact::secret::{Certificate, Data, Unfit, links, pem};
use crate::base::failure::Failure;
use crate::base::material::Node;

use super::field::Fields;

pub(super) fn build(fields: &Fields<'_>) -> Result<Data, Failure> {
    let named = |names: [&'static str; 2]| {
        let found = names.into_iter().find(|name| fields.named(name).is_some());
        found.unwrap_or(names[0])
    };
    let certificate = named(["tls.crt", "certificate"]);
    let mut chain = fields.secret(certificate)?;
    let mut ca = match fields.named("ca.crt") {
        Some(_) => Some(fields.secret("ca.crt")?),
        None => None,
    };
    if certificate == "certificate" {
        let (roots, between): (Vec<Certificate>, Vec<Certificate>) =
            issuers(fields)?.into_iter().partition(Certificate::is_root);
        let top = roots.first().or(between.last());
        if ca.is_none() {
            ca = top.map(|link| pem([link]));
        }
        if !between.is_empty() {
            let own = links(certificate, chain.expose())?;
            chain = pem(own.iter().chain(&between));
        }
    }
    let key = fields.secret(named(["tls.key", "private_key"]))?;
    let mut data = Data::from([("tls.crt".to_owned(), chain), ("tls.key".to_owned(), key)]);
    data.extend(ca.map(|ca| ("ca.crt".to_owned(), ca)));
    Ok(data)
}

/// Vault's `ca_chain`, a list; if it is absent, its `issuing_ca`.
fn issuers(fields: &Fields<'_>) -> Result<Vec<Certificate>, Failure> {
    let mut found = Vec::new();
    if let Some(field) = fields.named("ca_chain") {
        if let Node::List(items) = field.value.node() {
            for item in items {
                let Node::Text(text) = item else {
                    return Err(Unfit::NoCertificate("ca_chain").into());
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

#[cfg(test)]
mod tests;
