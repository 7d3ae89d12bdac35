//! What `grants` takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use keyferry::mode::grants::{self, Account, Mode};

use super::{Deadline, Paths, duration};

/// Rights, where they are granted.
#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// Print a ServiceAccount, Roles by namespace and name, and their bindings
    Kubernetes(GrantsKubernetes),
    /// Print policies and roles of Vault or OpenBao, or write them with --apply
    ///
    /// One policy for each role that the configurations log in with, with each path by its name:
    /// several configurations of one role are united. --apply compares them with the server and
    /// writes what differs, if it was made by this command before or does not exist. All else is
    /// shown and left alone until --adopt.
    Vault(GrantsVault),
}

/// Whose rights are printed.
#[derive(Debug, Args)]
#[command(mut_arg("config", |arg| arg.help(
    "Configuration file, or folder of *.yaml files. Given several times, each is a configuration \
     of its own"
)))]
pub(crate) struct Granted {
    #[command(flatten)]
    pub(crate) paths: Paths,
    /// NAMESPACE/NAME of the ServiceAccount that runs it; once for all configurations, or once for
    /// each, in order [default: default/NAME of the configuration]
    #[arg(long, value_name = "NS/NAME", value_parser = Account::parse)]
    pub(crate) service_account: Vec<Account>,
    /// How it is run [default: sidecar with `reflector` or `onChange`, else job]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Leave out the optional rights
    #[arg(long)]
    pub(crate) necessary: bool,
}

/// Rights in a cluster.
#[derive(Debug, Args)]
pub(crate) struct GrantsKubernetes {
    #[command(flatten)]
    pub(crate) granted: Granted,
    /// For Argo CD: plain resources in sync wave -2, before a Job of wave -1 that needs them
    #[arg(long)]
    pub(crate) argocd: bool,
}

/// Rights in Vault.
#[derive(Debug, Args)]
pub(crate) struct GrantsVault {
    #[command(flatten)]
    pub(crate) granted: Granted,
    /// Audience of the ServiceAccounts' tokens
    #[arg(long, value_name = "NAME", default_value = "vault")]
    pub(crate) audience: String,
    /// How long tokens of the role are valid before they are renewed
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) ttl: Duration,
    /// Name of policy and role where `auth` names no role (`appRole`, `token`)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// How it is shown
    #[arg(
        short,
        long,
        value_enum,
        default_value = "commands",
        conflicts_with = "apply"
    )]
    pub(crate) output: grants::Format,
    /// Write policies and roles that are missing or differ
    #[arg(long, requires = "who")]
    pub(crate) apply: bool,
    #[command(flatten)]
    pub(crate) who: Who,
    /// With --apply: only show what would be written; exit code 10 if that is anything
    #[arg(long, requires = "apply")]
    pub(crate) dry_run: bool,
    /// With --apply: also replace what was not made by this command
    #[arg(long, requires = "apply")]
    pub(crate) adopt: bool,
    #[command(flatten)]
    pub(crate) limit: Deadline,
}

/// Who writes with --apply.
#[derive(Debug, Args)]
#[group(id = "who", multiple = false)]
pub(crate) struct Who {
    /// With --apply: log in as the token in this file, such as ~/.vault-token
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// With --apply: log in as the configuration does, but with this role
    #[arg(long, value_name = "ROLE")]
    pub(crate) login_role: Option<String>,
}
