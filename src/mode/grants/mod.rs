//! `grants`: shows the rights that a configuration needs, in Kubernetes and in Vault, as manifests
//! and policies that grant them; Vault's part can also be applied.
//!
//! ```text
//! Config ─┬─ cluster ─► Rights ─► manifests      (ServiceAccount, Roles, bindings)
//!         └─ server ──► Grant ──► policy         (HCL, commands, JSON)
//!                         └─────► apply          (compared with the server, then written)
//! ```
//!
//! `check --access` asks for the same rights ([`missing_rights`](super::missing_rights)).

pub mod apply;
pub mod cluster;
mod granted;
mod manifest_secrets;
mod manifests;
mod policy;
pub mod rights;
pub mod transit;
pub mod vault;
mod vault_role;

use std::collections::BTreeMap;
use std::fmt::Write;

use tokio::time::Instant;

use crate::base::failure::Failure;
use crate::base::printable;
use crate::config::Config;
use crate::process::time_limit::TimeLimit;
use cluster::Described;
use rights::Rights;
use transit::READING;

pub use granted::{Account, GrantedConfig, Mode};
pub use manifests::ManifestStyle;
pub use policy::GrantFormat;
pub use vault_role::Terms;

/// The Secrets that the files of a configuration's manifests describe.
pub(super) async fn described(config: &Config) -> Result<Vec<Vec<Described>>, Failure> {
    manifest_secrets::all(config, TimeLimit::Until(Instant::now() + READING)).await
}

/// The manifests that grant in Kubernetes what these configurations need.
pub async fn kubernetes(all: &[GrantedConfig], style: ManifestStyle) -> Result<String, Failure> {
    let mut out = String::new();
    let mut accounts: BTreeMap<&Account, Rights> = BTreeMap::new();
    for one in all {
        out.push_str(&one.head());
        let described = described(&one.config).await?;
        let own = &one.account.namespace;
        let rights = cluster::rights(&one.config, &described, own, one.mode);
        accounts.entry(&one.account).or_default().unite(rights);
    }
    for wide in accounts.values().flat_map(|rights| &rights.wide) {
        let _ = writeln!(out, "# wide: {}", printable::line(wide));
    }
    let documents = accounts
        .iter()
        .flat_map(|(account, rights)| manifests::documents(account, rights, style));
    let documents: Vec<String> = documents.collect();
    out.push_str(&documents.join("---\n"));
    Ok(out)
}

/// The policies and roles that grant in Vault what these configurations need.
pub async fn vault(
    all: &[GrantedConfig],
    terms: &Terms,
    format: GrantFormat,
) -> Result<String, Failure> {
    let grants = vault::grants(all, terms).await?;
    let mut head = String::new();
    for one in all {
        head.push_str(&one.head());
    }
    let _ = writeln!(
        head,
        "# tokens for audience `{}`, valid for {} (--audience, --ttl)",
        printable::line(&terms.audience),
        terms.ttl()
    );
    Ok(policy::show(&grants, format, &head))
}
