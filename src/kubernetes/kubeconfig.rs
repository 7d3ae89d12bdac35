//! Kubeconfig files: merged as everywhere, and refused where they would weaken the connection.

use std::collections::HashMap;
use std::path::PathBuf;

use kube::Config;
use kube::config::{AuthInfo, Kubeconfig, KubeconfigError};

use super::error::Error;
use crate::base::address::is_loopback;
use crate::base::failure::{Class, class_of_reading};
use crate::base::material::SECRET_VARIABLES;

/// The connection that some files describe, merged in order. Missing files of a list are skipped,
/// as in other clients. If all are missing, that is an error: the list itself is wrong.
pub(super) fn load(files: &[PathBuf]) -> Result<Config, Error> {
    let shown: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let shown = shown.join(":");
    let wrong = |why: String| Error::Kubeconfig {
        file: shown.clone(),
        why,
    };
    let failed = |error: &KubeconfigError| match exhausted(error) {
        Some(why) => Error::Exhausted {
            file: shown.clone(),
            why,
        },
        None => wrong(reason(error)),
    };
    let mut merged: Option<Kubeconfig> = None;
    for file in files.iter().filter(|file| file.exists()) {
        let next = Kubeconfig::read_from(file).map_err(|error| failed(&error))?;
        merged = Some(match merged {
            None => next,
            Some(merged) => merged.merge(next).map_err(|error| failed(&error))?,
        });
    }
    let merged = merged.ok_or_else(|| wrong("it does not exist".into()))?;
    // The proxy of the current context only: `Config` itself would also take `HTTPS_PROXY`, which
    // we do not use unasked.
    let has_proxy = has_proxy(&merged);
    let mut config = Config::try_from(merged).map_err(|error| failed(&error))?;
    keep_secrets(&mut config.auth_info);
    if has_proxy {
        return Err(wrong(
            "its cluster has a `proxy-url`, which keyferry does not support".into(),
        ));
    }
    if !is_loopback(config.cluster_url.host().unwrap_or_default()) {
        if config.accept_invalid_certs {
            return Err(wrong(
                "it turns off certificate checks (`insecure-skip-tls-verify`): name \
                the cluster's `certificate-authority` instead"
                    .into(),
            ));
        }
        if config.cluster_url.scheme_str() != Some("https") {
            return Err(wrong("its server is not reached by https".into()));
        }
    }
    Ok(config)
}

/// The program that gives credentials is not ours: it gets its usual environment and the variables
/// of the kubeconfig, but none of our secrets.
fn keep_secrets(user: &mut AuthInfo) {
    if let Some(program) = &mut user.exec {
        let set: Vec<&String> = program.env.iter().flatten().filter_map(name_of).collect();
        let drop = SECRET_VARIABLES.iter().map(|name| (*name).to_owned());
        program.drop_env = Some(drop.filter(|name| !set.contains(&name)).collect());
    }
    if let Some(provider) = &mut user.auth_provider {
        let drop = SECRET_VARIABLES.join(" ");
        provider.config.insert("cmd-drop-env".to_owned(), drop);
    }
}

fn name_of(variable: &HashMap<String, String>) -> Option<&String> {
    variable.get("name")
}

fn has_proxy(merged: &Kubeconfig) -> bool {
    let context = merged.current_context.as_ref();
    let context = merged
        .contexts
        .iter()
        .find(|named| Some(&named.name) == context);
    let cluster = context.and_then(|named| Some(&named.context.as_ref()?.cluster));
    let cluster = merged
        .clusters
        .iter()
        .find(|named| Some(&named.name) == cluster);
    let proxy = cluster.and_then(|named| named.cluster.as_ref()?.proxy_url.as_deref());
    proxy.is_some_and(|url| !url.is_empty())
}

/// The system's message, where it had nothing left to read a file with.
fn exhausted(error: &KubeconfigError) -> Option<String> {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    let cause = causes.find_map(|error| error.downcast_ref::<std::io::Error>())?;
    (class_of_reading(cause) == Class::Unavailable).then(|| cause.to_string())
}

/// A parser's message shows the line it stands at, and that line may be a token.
fn reason(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "it is not a kubeconfig (line {}, column {})",
                at.line(),
                at.column()
            ),
            None => "it is not a kubeconfig".to_owned(),
        },
        KubeconfigError::CurrentContextNotSet => "it names no current-context".to_owned(),
        KubeconfigError::LoadContext(name) => format!("it has no context {name:?}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster {name:?}"),
        KubeconfigError::ReadConfig(error, path) => format!("{}: {error}", path.display()),
        KubeconfigError::KindMismatch
        | KubeconfigError::ApiVersionMismatch
        | KubeconfigError::FindPath
        | KubeconfigError::MissingClusterUrl
        | KubeconfigError::ParseClusterUrl(_)
        | KubeconfigError::ParseProxyUrl(_)
        | KubeconfigError::LoadCertificateAuthority(_)
        | KubeconfigError::LoadClientCertificate(_)
        | KubeconfigError::LoadClientKey(_)
        | KubeconfigError::ParseCertificates(_) => error.to_string(),
    }
}
