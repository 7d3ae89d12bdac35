//! Configurations to start with.

use std::fmt::Write;
use std::io::IsTerminal;

use clap::{Args, ValueEnum};

use keyferry::base::failure::{Class, Failure};
use keyferry::mode::Ended;
use keyferry::pass::outcome::Failed;
use keyferry::process::stderr;

use crate::cli::print::print;

/// Print a configuration to start with, with comments
///
/// `keyferry new init > keyferry.yaml`, then `keyferry check`. On a terminal it asks what it is
/// for.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it is for
    #[arg(value_enum, value_name = "KIND")]
    kind: Option<Start>,
}

impl New {
    pub(super) fn run(self) -> Ended {
        match self.kind.map_or_else(ask, Ok) {
            Ok(kind) => print(kind.text()),
            Err(failure) => Ended::Failed(Failed::of_the_run(failure)),
        }
    }
}

/// What a configuration to start with is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Start {
    /// The pull secret of a registry, made before Argo CD syncs
    PullSecret,
    /// Files for a pod before it starts
    Init,
    /// Files for a pod, kept fresh
    Sidecar,
    /// A .env from a SOPS file
    SopsEnv,
    /// SOPS and SealedSecret manifests, applied
    Manifests,
    /// Copies of Secrets in other namespaces, by annotation
    Reflector,
}

impl Start {
    fn text(self) -> &'static str {
        match self {
            Self::PullSecret => include_str!("new/pull-secret.yaml"),
            Self::Init => include_str!("new/init.yaml"),
            Self::Sidecar => include_str!("new/sidecar.yaml"),
            Self::SopsEnv => include_str!("new/sops-env.yaml"),
            Self::Manifests => include_str!("new/manifests.yaml"),
            Self::Reflector => include_str!("new/reflector.yaml"),
        }
    }

    /// Its name on the command line, and what it is for.
    fn words(self) -> (String, String) {
        let value = self.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help());
        let name = value.as_ref().map(|value| value.get_name().to_owned());
        let help = help.map(ToString::to_string);
        (name.unwrap_or_default(), help.unwrap_or_default())
    }
}

fn ask() -> Result<Start, Failure> {
    let all = Start::value_variants();
    let names: Vec<String> = all.iter().map(|kind| kind.words().0).collect();
    let failure = |what: &str| {
        let hint = format!("`keyferry new KIND`; the kinds are {}", names.join(", "));
        Failure::new(Class::Usage, what).hint(hint)
    };
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(failure(
            "`keyferry new` needs to know what the configuration is for",
        ));
    }
    let mut question = String::new();
    for (number, kind) in all.iter().enumerate() {
        let (name, help) = kind.words();
        let _ = writeln!(question, "{:>3}  {name:<12} {help}", number + 1);
    }
    question.push_str("What is it for? ");
    stderr::write(question.as_bytes());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let answer = answer.trim();
    let chosen = all
        .iter()
        .zip(&names)
        .zip(1..)
        .find(|((_, name), number)| *name == answer || number.to_string() == answer);
    match (read, chosen) {
        (Ok(_), Some(((kind, _), _))) => Ok(*kind),
        (Ok(_), None) | (Err(_), _) => Err(failure("this is none of them")),
    }
}
