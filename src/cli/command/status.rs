//! `status`: how a running sidecar is.

use clap::Args;

use keyferry::base::style::Format;
use keyferry::mode::Ended;
use keyferry::sidecar::client;

use super::ready::Address;
use crate::cli::print::printed;

/// Show how a running sidecar stands: each delivery, its age, its lease, what failed, and what
/// goes where
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    address: Address,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

impl Status {
    pub(super) fn run(self) -> Ended {
        printed(client::status(self.address.listen, self.output))
    }
}
