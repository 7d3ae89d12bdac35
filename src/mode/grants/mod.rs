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
mod manifest_secrets;
mod manifests;
mod policy;
pub mod rights;
pub mod transit;
pub mod vault;
mod vault_role;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::config::Config;
use crate::process::time_limit::TimeLimit;
use cluster::Described;
use rights::Rights;
use transit::OfFiles;

pub use manifests::ManifestStyle;
pub use policy::GrantFormat;
pub use vault_role::Terms;

/// How a configuration is run, as far as its rights depend on that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// One pass: Job, CronJob.
    Job,
    /// One pass before a pod starts.
    Init,
    /// For as long as its pod: it follows sources, reacts, reflects and tells.
    Sidecar,
}

impl Mode {
    /// A sidecar if the configuration has a part that only a sidecar uses.
    pub fn from_config(config: &Config) -> Self {
        let reacts = config
            .deliveries
            .iter()
            .any(|delivery| !delivery.on_change.is_empty());
        match config.reflector.is_some() || reacts {
            true => Self::Sidecar,
            false => Self::Job,
        }
    }

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Init => "init",
            Self::Sidecar => "sidecar",
        }
    }
}

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Its namespace, which is also that of keyferry's pods.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Account {
    /// `NAMESPACE/NAME`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_name = crate::base::artifact::is_object_name;
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(Self {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
            Some(_) | None => Err(format!(
                "`{}` is no NAMESPACE/NAME of a ServiceAccount",
                text.escape_debug()
            )),
        }
    }

    /// The default account: the configuration's name in the namespace `default`.
    fn assumed(config: &Config) -> Self {
        let name = config.name.as_ref().map(ToString::to_string);
        Self {
            namespace: "default".to_owned(),
            name: name.unwrap_or_else(|| "keyferry".to_owned()),
        }
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One configuration, its account and its mode.
pub struct GrantedConfig {
    /// The path as it was given, for messages.
    pub path: String,
    /// The configuration.
    pub config: Config,
    /// The account that gets the rights.
    pub account: Account,
    /// The mode that it runs in.
    pub mode: Mode,
}

impl GrantedConfig {
    /// Pairs configurations with accounts, in order. One account is used for all configurations;
    /// without an account each configuration gets the default.
    pub fn pair(
        configs: Vec<(String, Config)>,
        accounts: &[Account],
        mode: Option<Mode>,
    ) -> Result<Vec<Self>, Failure> {
        if accounts.len() > 1 && accounts.len() != configs.len() {
            return Err(Failure::new(
                Class::Usage,
                format!(
                    "{} configurations and {} service accounts are given",
                    configs.len(),
                    accounts.len()
                ),
            )
            .hint("give `--service-account` once for all, or once for each `--config`, in order"));
        }
        let paired = configs.into_iter().enumerate().map(|(at, (path, config))| {
            let account = match accounts {
                [one] => one.clone(),
                several => several
                    .get(at)
                    .cloned()
                    .unwrap_or_else(|| Account::assumed(&config)),
            };
            Self {
                path,
                account,
                mode: mode.unwrap_or_else(|| Mode::from_config(&config)),
                config,
            }
        });
        Ok(paired.collect())
    }

    fn head(&self) -> String {
        format!(
            "# {}: `keyferry {}` as {} (--mode, --service-account)\n",
            printable::line(&self.path),
            self.mode.word(),
            self.account
        )
    }
}

/// How long reading the files may take.
const READING: Duration = Duration::from_secs(20);

/// The Secrets that the files of a configuration's manifests describe.
pub(super) async fn described(config: &Config) -> Result<Vec<Vec<Described>>, Failure> {
    manifest_secrets::all(config, TimeLimit::Until(Instant::now() + READING)).await
}

/// The rights in Vault's transit engine that the SOPS files of a configuration need.
pub(super) async fn transit(config: &Config) -> OfFiles {
    transit::of_files(config, TimeLimit::Until(Instant::now() + READING)).await
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
