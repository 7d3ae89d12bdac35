//! The command line as it is typed: the flags of every command, and one command.

use clap::Parser;

use super::arguments::Common;
use super::command::Command;

/// Carries secrets from where they are kept to where they are used.
///
/// Reads Vault, OpenBao, SOPS files, SealedSecrets, age files and Kubernetes Secrets as one YAML
/// file says, and keeps files, .env files and typed Kubernetes Secrets equal to them. A second run
/// writes nothing. No value is ever shown, but to GitHub's runner, which hides it
/// (`exec --github-env`).
#[derive(Debug, Parser)]
#[command(
    name = "keyferry",
    version = VERSION,
    max_term_width = 110,
    after_help = EXIT_CODES,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// With the commit where a release was built from Git.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("KEYFERRY_COMMIT"));

const EXIT_CODES: &str = "\
Exit codes:
  0   in sync                                    5   cannot be decrypted, or was tampered with
  2   configuration or usage is wrong            6   refused: foreign object, safety rule, rejected
  3   login or permission refused                7   provider unreachable or deadline spent: retry
  4   a source or field is missing               8   a file could not be written
  10  plan and check: there are differences      70  a defect of keyferry

Start with `keyferry check`, then `keyferry plan`, then `keyferry job`.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
