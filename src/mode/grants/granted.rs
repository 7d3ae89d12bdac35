//! Whose rights are shown: a configuration, how it is run, and by which account.

use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::config::Config;

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

    pub(super) fn head(&self) -> String {
        format!(
            "# {}: `keyferry {}` as {} (--mode, --service-account)\n",
            printable::line(&self.path),
            self.mode.word(),
            self.account
        )
    }
}
