//! `ready`: whether a running sidecar has delivered everything.

use clap::Args;

use keyferry::mode::Ended;
use keyferry::sidecar::client;
use keyferry::sidecar::listen::Listen;

use crate::cli::print::printed;

/// Ask a running sidecar whether everything was delivered (exec probe): exit code 0 or 7, and
/// why
#[derive(Debug, Args)]
pub(crate) struct Ready {
    #[command(flatten)]
    address: Address,
}

impl Ready {
    pub(super) fn run(self) -> Ended {
        printed(client::ready(self.address.listen))
    }
}

/// Where a running sidecar answers.
#[derive(Debug, Args)]
pub(super) struct Address {
    /// Address of /livez, /readyz, /metrics, /status and of a page at /; `:9733` for all addresses
    /// of both families
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "KEYFERRY_LISTEN",
        default_value = "127.0.0.1:9733"
    )]
    pub(super) listen: Listen,
}
