//! `history`, and the ways of `job` back to an earlier state.

use clap::{ArgGroup, Args};

use keyferry::base::style::Format;
use keyferry::mode::rollback::{RollbackRequest, To};
use keyferry::mode::{Ended, history};

use crate::cli::arguments::{Common, Deadline, Place};
use crate::cli::print::{print, then};
use crate::cli::runtime::block_on;
use crate::cli::setup::{with_config, world};

/// Show what deliveries with `history` carried, when, and where from: names and versions, never
/// values
///
/// It also shows which versions Vault still has, where the token may read `kv/metadata/…`.
/// `keyferry job --to previous` goes back.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("30s")))]
pub(crate) struct History {
    #[command(flatten)]
    place: Place,
    /// Only these deliveries; by default all with `history`
    #[arg(value_name = "DELIVERY")]
    deliveries: Vec<String>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    output: Format,
    #[command(flatten)]
    limit: Deadline,
}

impl History {
    pub(super) fn run(self, common: &Common) -> Ended {
        with_config(&self.place, |config| {
            let world = world(&config, &self.place, self.limit.deadline);
            let told = history::run(&config, world, &self.deliveries, self.output);
            let (ended, text) = block_on(common, told);
            then(print(&text), ended)
        })
    }
}

/// The way back.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").args(["to", "rev", "release"]))]
pub(super) struct Back {
    /// Go back and stay there until --release: to `previous`, to a version of the secret in Vault,
    /// or to what was delivered at a time (2026-11-28T14:00:00Z)
    #[arg(help_heading = "Going back", long, value_name = "WHEN", value_parser = To::parse)]
    to: Option<To>,
    /// Go back to a commit of the SOPS files and stay there until --release
    #[arg(help_heading = "Going back", long, value_name = "COMMIT")]
    rev: Option<String>,
    /// Deliver the newest again after --to or --rev
    #[arg(help_heading = "Going back", long)]
    release: bool,
    /// Only this delivery goes back or is released, by default all with `history`; may be given
    /// several times
    #[arg(
        help_heading = "Going back",
        long,
        value_name = "NAME",
        requires = "way"
    )]
    delivery: Vec<String>,
}

impl Back {
    /// The request; `None` in a usual run.
    pub(super) fn request(&self) -> Option<RollbackRequest> {
        let to = match (&self.to, &self.rev, self.release) {
            (Some(to), _, _) => to.clone(),
            (None, Some(commit), _) => To::Commit(commit.clone()),
            (None, None, true) => To::Newest,
            (None, None, false) => return None,
        };
        let deliveries = self.delivery.clone();
        Some(RollbackRequest { to, deliveries })
    }
}
