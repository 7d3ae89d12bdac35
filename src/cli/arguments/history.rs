//! `history`, and the ways of `job` back to an earlier state.

use clap::{ArgGroup, Args};

use keyferry::mode::Format;
use keyferry::mode::rollback::{Request, To};

use super::{Deadline, Place};

/// What was delivered when.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("30s")))]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only these deliveries; by default all with `history`
    #[arg(value_name = "DELIVERY")]
    pub(crate) deliveries: Vec<String>,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) limit: Deadline,
}

/// The way back.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("way").args(["to", "rev", "release"]))]
pub(crate) struct Back {
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
    /// What is asked for; nothing in a usual run.
    pub(crate) fn request(&self) -> Option<Request> {
        let to = match (&self.to, &self.rev, self.release) {
            (Some(to), _, _) => to.clone(),
            (None, Some(commit), _) => To::Commit(commit.clone()),
            (None, None, true) => To::Newest,
            (None, None, false) => return None,
        };
        let deliveries = self.delivery.clone();
        Some(Request { to, deliveries })
    }
}
