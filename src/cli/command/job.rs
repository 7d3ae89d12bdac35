//! `job`: one pass, at an earlier state where a flag asks for that.

use std::io::IsTerminal;

use clap::Args;

use keyferry::config::Config;
use keyferry::mode::grants::Mode;
use keyferry::mode::{Ended, one_pass, rollback};
use keyferry::pass::world::World;
use keyferry::plan::PlanFormat;

use super::history::Back;
use super::plan::show_plan;
use crate::cli::arguments::{Common, Deadline, LogFormat, Place};
use crate::cli::print::{is_terminal, print};
use crate::cli::runtime::block_on;
use crate::cli::setup::{with_config, world};

/// One pass: fetch, render, write what differs, exit
///
/// For an Argo CD PreSync hook, a CronJob, a laptop. Deliveries are independent: one that fails
/// stops no other.
#[derive(Debug, Args)]
pub(crate) struct Job {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    limit: Deadline,
    /// Only show what would change, as `plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    back: Back,
    /// Let `prune` delete up to N Secrets of a set of manifests, or copies of a delivery, where it
    /// refused so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow_deletes: usize,
}

impl Job {
    pub(super) fn run(self, common: &Common) -> Ended {
        with_config(&self.place, |config| {
            let world = || {
                world(&config, &self.place, self.limit.deadline)
                    .with_allowed_deletes(self.allow_deletes)
            };
            let back = self.back.request();
            let ready = async {
                match &back {
                    None => Ok(world()),
                    Some(request) if self.dry_run => {
                        let holds = rollback::find(&config, world(), request).await?;
                        Ok(world().with_holds(holds))
                    }
                    Some(request) => {
                        rollback::prepare(&config, world(), request).await?;
                        Ok(world())
                    }
                }
            };
            match self.dry_run {
                true => show_plan(common, &config, ready, PlanFormat::Text, false),
                false => one_pass(common, &config, ready, Mode::Job),
            }
        })
    }
}

pub(super) fn one_pass(
    common: &Common,
    config: &Config,
    ready: impl Future<Output = Result<World, Ended>>,
    mode: Mode,
) -> Ended {
    let table = std::io::stdout().is_terminal() && !common.quiet;
    // A user who sees the table needs no log of the same.
    let logs = !(table && is_terminal() && common.log_format == LogFormat::Text);
    let now = jiff::Timestamp::now();
    let (ended, outcome) = block_on(common, async {
        match ready.await {
            Ok(world) => one_pass::run(config, world, mode, logs, now).await,
            Err(ended) => (ended, None),
        }
    });
    if let Some(outcome) = outcome
        && table
    {
        // The delivery is done, even if nobody reads the table.
        drop(print(&outcome.table(common.output_style())));
    }
    ended
}
