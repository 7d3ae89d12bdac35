//! `grants`: loads each configuration by itself, and prints or applies the rights that they need.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::Instant;

use keyferry::mode::Ended;
use keyferry::mode::grants::apply::{Consent, Granter, apply};
use keyferry::mode::grants::{self, Account, ManifestStyle, Mode, Terms};
use keyferry::pass::outcome::Failed;
use keyferry::process::time_limit::TimeLimit;

use crate::cli::arguments::{Common, Deadline, Paths, Place, duration};
use crate::cli::load::{Machine, invalid, loaded_for};
use crate::cli::print::{print, printed, then};
use crate::cli::runtime::block_on;

/// Print the rights that a configuration needs, ready to be granted
///
/// From the configuration alone: each verb, name and path that its mode needs, and none more.
/// What is only helpful is marked as optional, with what is lost without it.
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
    paths: Paths,
    /// NAMESPACE/NAME of the ServiceAccount that runs it; once for all configurations, or once for
    /// each, in order [default: default/NAME of the configuration]
    #[arg(long, value_name = "NS/NAME", value_parser = Account::parse)]
    service_account: Vec<Account>,
    /// How it is run [default: sidecar with `reflector` or `onChange`, else job]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Leave out the optional rights
    #[arg(long)]
    necessary: bool,
}

/// Rights in a cluster.
#[derive(Debug, Args)]
pub(crate) struct GrantsKubernetes {
    #[command(flatten)]
    granted: Granted,
    /// For Argo CD: plain resources in sync wave -2, before a Job of wave -1 that needs them
    #[arg(long)]
    argocd: bool,
}

/// Rights in Vault.
#[derive(Debug, Args)]
pub(crate) struct GrantsVault {
    #[command(flatten)]
    granted: Granted,
    /// Audience of the ServiceAccounts' tokens
    #[arg(long, value_name = "NAME", default_value = "vault")]
    audience: String,
    /// How long tokens of the role are valid before they are renewed
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    ttl: Duration,
    /// Name of policy and role where `auth` names no role (`appRole`, `token`)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// How it is shown
    #[arg(
        short,
        long,
        value_enum,
        default_value = "commands",
        conflicts_with = "apply"
    )]
    output: grants::GrantFormat,
    /// Write policies and roles that are missing or differ
    #[arg(long, requires = "who")]
    apply: bool,
    #[command(flatten)]
    who: Who,
    /// With --apply: only show what would be written; exit code 10 if that is anything
    #[arg(long, requires = "apply")]
    dry_run: bool,
    /// With --apply: also replace what was not made by this command
    #[arg(long, requires = "apply")]
    adopt: bool,
    #[command(flatten)]
    limit: Deadline,
}

/// Who writes with --apply.
#[derive(Debug, Args)]
#[group(id = "who", multiple = false)]
pub(crate) struct Who {
    /// With --apply: log in as the token in this file, such as ~/.vault-token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// With --apply: log in as the configuration does, but with this role
    #[arg(long, value_name = "ROLE")]
    login_role: Option<String>,
}

impl Grants {
    pub(super) fn run(self, common: &Common) -> Ended {
        match self {
            Self::Kubernetes(GrantsKubernetes { granted, argocd }) => {
                let style = ManifestStyle {
                    argocd,
                    necessary: granted.necessary,
                };
                let all = match load(granted, Machine::Another) {
                    Ok(all) => all,
                    Err(ended) => return *ended,
                };
                printed(block_on(common, grants::kubernetes(&all, style)))
            }
            Self::Vault(arguments) => vault(common, arguments),
        }
    }
}

fn vault(common: &Common, arguments: GrantsVault) -> Ended {
    let GrantsVault {
        granted,
        audience,
        ttl,
        name,
        output,
        apply: writes,
        who,
        dry_run,
        adopt,
        limit,
    } = arguments;
    let terms = Terms {
        audience,
        ttl,
        name,
        necessary: granted.necessary,
    };
    // Writing needs the server's certificate; printing needs nothing of the pods.
    let machine = match writes {
        true => Machine::This,
        false => Machine::Another,
    };
    let all = match load(granted, machine) {
        Ok(all) => all,
        Err(ended) => return *ended,
    };
    let caller = match who {
        Who {
            token_file: Some(file),
            ..
        } => Some(Granter::Token(file)),
        Who {
            login_role: Some(role),
            ..
        } => Some(Granter::Role(role)),
        Who {
            token_file: None,
            login_role: None,
        } => None,
    };
    match caller.filter(|_| writes) {
        None => printed(block_on(common, grants::vault(&all, &terms, output))),
        Some(caller) => {
            let consent = Consent { dry_run, adopt };
            let time_limit = TimeLimit::Until(Instant::now() + limit.deadline);
            let applied = apply(&all, &terms, &caller, consent, time_limit);
            let (ended, text) = block_on(common, applied);
            then(print(&text), ended)
        }
    }
}

/// Each path is a separate configuration here; without any path, the default one is loaded.
fn load(granted: Granted, machine: Machine) -> Result<Vec<grants::GrantedConfig>, Box<Ended>> {
    let Granted {
        paths: Paths { config },
        service_account,
        mode,
        necessary: _,
    } = granted;
    let paths = match config.is_empty() {
        true => vec![Vec::new()],
        false => config.into_iter().map(|path| vec![path]).collect(),
    };
    let mut configs = Vec::new();
    for config in paths {
        let path = config.first().map_or("keyferry.yaml".to_owned(), |path| {
            path.display().to_string()
        });
        let place = Place {
            paths: Paths { config },
            root: None,
            strict: false,
        };
        match loaded_for(&place, machine).config {
            Ok(config) => configs.push((path, config)),
            Err(problems) => return Err(Box::new(invalid(&problems))),
        }
    }
    let all = grants::GrantedConfig::pair(configs, &service_account, mode);
    all.map_err(|failure| Box::new(Ended::Failed(Failed::of_the_run(failure))))
}
