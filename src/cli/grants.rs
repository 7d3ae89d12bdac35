//! `grants`: each configuration is loaded on its own, and what they need is printed or applied.

use tokio::time::Instant;

use keyferry::mode::Ended;
use keyferry::mode::grants::apply::{Caller, Consent, apply};
use keyferry::mode::grants::{self, Granted, Style, Terms};
use keyferry::pass::outcome::Failed;
use keyferry::process::time_limit::TimeLimit;

use super::arguments::{self, Common, Grants, GrantsKubernetes, GrantsVault, Paths, Place, Who};
use super::load::{Machine, invalid, loaded_for};
use super::print::{print, printed, then};
use super::runtime::block_on;

pub(super) fn granted(common: &Common, grants: Grants) -> Ended {
    match grants {
        Grants::Kubernetes(GrantsKubernetes { granted, argocd }) => {
            let style = Style {
                argocd,
                necessary: granted.necessary,
            };
            let all = match load(granted, Machine::Another) {
                Ok(all) => all,
                Err(ended) => return *ended,
            };
            printed(block_on(common, grants::kubernetes(&all, style)))
        }
        Grants::Vault(arguments) => vault(common, arguments),
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
    // Who writes needs the server's certificate; who prints needs nothing of the pods.
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
        } => Some(Caller::Token(file)),
        Who {
            login_role: Some(role),
            ..
        } => Some(Caller::Role(role)),
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

/// Each path is a configuration of its own here; without any, it is the usual one.
fn load(granted: arguments::Granted, machine: Machine) -> Result<Vec<Granted>, Box<Ended>> {
    let arguments::Granted {
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
    let all = Granted::pair(configs, &service_account, mode);
    all.map_err(|failure| Box::new(Ended::Failed(Failed::whole(failure))))
}
