//! What `check` takes.

use clap::Args;

use keyferry::mode::Format;
use keyferry::mode::grants::Mode;

use super::Place;

/// Check without network.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Open all that is encrypted too (recipients, keys, integrity, clear values), and look up
    /// every name
    #[arg(long)]
    pub(crate) keys: bool,
    /// Compare file targets too (implies --keys)
    #[arg(long)]
    pub(crate) targets: bool,
    /// Ask Kubernetes and Vault for each right that a pass needs, and name the missing ones (exit
    /// code 3). Nothing is read or written with them
    #[arg(long)]
    pub(crate) access: bool,
    /// With --access: how it is run [default: sidecar with `reflector` or `onChange`, else job]
    #[arg(long, value_enum, requires = "access")]
    pub(crate) mode: Option<Mode>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Format,
}
