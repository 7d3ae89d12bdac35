//! `check`: the configuration, and with more the keys, targets and rights.

use std::time::Duration;

use clap::Args;

use keyferry::base::style::Format;
use keyferry::mode::Ended;
use keyferry::mode::check::{self, Depth};
use keyferry::mode::grants::Mode;

use crate::cli::arguments::{Common, Place};
use crate::cli::print::{print, then};
use crate::cli::runtime::block_on;
use crate::cli::setup::{with_config, world};

/// Check configuration and templates without any network
///
/// Says file:line:column of what is wrong. With --keys it also opens all that is encrypted and
/// says who can read it, which key opens it, whether it was changed and what lies in it in
/// clear; it asks a server only where keys or SealedSecrets come from one. With --targets it
/// compares file targets too and names each variable that is missing or differs (exit code 10).
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    place: Place,
    /// Open all that is encrypted too (recipients, keys, integrity, clear values), and look up
    /// every name
    #[arg(long)]
    keys: bool,
    /// Compare file targets too (implies --keys)
    #[arg(long)]
    targets: bool,
    /// Ask Kubernetes and Vault for each right that a pass needs, and name the missing ones (exit
    /// code 3). Nothing is read or written with them
    #[arg(long)]
    access: bool,
    /// With --access: how it is run [default: sidecar with `reflector` or `onChange`, else job]
    #[arg(long, value_enum, requires = "access")]
    mode: Option<Mode>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
}

impl Check {
    pub(super) fn run(self, common: &Common) -> Ended {
        with_config(&self.place, |config| {
            let depth = match (self.keys, self.targets) {
                (_, true) => Depth::Targets,
                (true, false) => Depth::Keys,
                (false, false) => Depth::Configuration,
            };
            let now = jiff::Timestamp::now();
            let world = world(&config, &self.place, Duration::from_secs(120));
            let mode = || self.mode.unwrap_or_else(|| Mode::from_config(&config));
            let wanted = check::CheckRequest {
                depth,
                access: self.access.then(mode),
                format: self.output,
            };
            let (ended, text) = block_on(common, check::run(config, world, wanted, now));
            then(print(&text), ended)
        })
    }
}
