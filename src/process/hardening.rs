//! Protection that comes before everything else: no core file, no access by other processes of the
//! user, no value in a panic message, no secret in argv.

use std::ffi::OsStr;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

pub use crate::base::material::SECRET_VARIABLES;
use crate::base::redact::form::{is_private_key, is_token};

/// Makes this process unreadable for others of the same user, and prevents a core file. Returns the
/// measures that failed.
pub fn harden() -> Vec<&'static str> {
    let mut failed = Vec::new();
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        failed.push("the process stays readable for others of the same user");
    }
    if soft_core_limit(Some(0)).is_err() {
        failed.push("a crash may leave a core");
    }
    std::panic::set_hook(Box::new(|panic| {
        // The payload may quote outside data, so only the place is printed.
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        tracing::error!("defect of keyferry{place}");
    }));
    failed
}

/// The limit of core files before [`harden`], for a program that replaces us. Only the soft limit
/// is ever changed.
pub fn soft_core_limit(current: Option<u64>) -> rustix::io::Result<Option<u64>> {
    let before = getrlimit(Resource::Core);
    let current = match (current, before.maximum) {
        (Some(wanted), Some(maximum)) => Some(wanted.min(maximum)),
        (None, maximum) => maximum,
        (wanted, None) => wanted,
    };
    setrlimit(
        Resource::Core,
        Rlimit {
            current,
            maximum: before.maximum,
        },
    )?;
    Ok(before.current)
}

/// Whether an argument is itself a secret: everybody could read it in the process list.
pub fn is_secret(argument: &OsStr) -> bool {
    let text = argument.to_string_lossy();
    text.split('=')
        .any(|part| is_private_key(part) || is_token(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_arguments_are_known_by_their_form() {
        for (argument, secret) in [
            ("hvs.CAESIJlSnE0qfTr0mZ8aVQ", true),
            ("--token=hvs.CAESIJlSnE0qfTr0mZ8aVQ", true),
            ("AGE-SECRET-KEY-1QQPQYQQQQ", true),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", true),
            ("--config", false),
            ("s.yaml", false),
            ("b.d/keyferry.yaml", false),
        ] {
            assert_eq!(is_secret(OsStr::new(argument)), secret, "{argument}");
        }
    }
}
