//! `init`: one pass before a pod starts.

use std::future::ready;

use clap::Args;

use keyferry::mode::Ended;
use keyferry::mode::grants::Mode;
use keyferry::plan::PlanFormat;

use super::job::one_pass;
use super::plan::show_plan;
use crate::cli::arguments::{Common, Deadline, Place};
use crate::cli::setup::{with_config, world};

/// One pass before a pod starts: as job, but waits for its token file
///
/// For an init container: while the provider is down it waits until --deadline, then the pod
/// restarts it.
#[derive(Debug, Args)]
#[command(mut_arg("deadline", |arg| arg.default_value("5m").help(
    "When all waiting ends, waiting for the token file included: 90s, 2m, 1h30m, 7d"
)))]
pub(crate) struct Init {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    limit: Deadline,
    /// Only show what would change, as `plan` does
    #[arg(long)]
    dry_run: bool,
}

impl Init {
    pub(super) fn run(self, common: &Common) -> Ended {
        with_config(&self.place, |config| {
            let world = world(&config, &self.place, self.limit.deadline);
            if self.dry_run {
                return show_plan(common, &config, ready(Ok(world)), PlanFormat::Text, false);
            }
            let world = ready(Ok(world.waiting_for_files()));
            one_pass(common, &config, world, Mode::Init)
        })
    }
}
