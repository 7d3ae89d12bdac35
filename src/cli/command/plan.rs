//! `plan`: what a pass would change.

use std::future::ready;

use clap::Args;

use keyferry::config::Config;
use keyferry::mode::{Ended, one_pass};
use keyferry::pass::world::World;
use keyferry::plan::{PlanFormat, show};

use crate::cli::arguments::{Common, Deadline, Place};
use crate::cli::print::{is_terminal, print, then};
use crate::cli::runtime::block_on;
use crate::cli::setup::{with_config, world};

/// Show what a pass would change and why: names, keys, sizes, never values
///
/// Exits with 0 when nothing would change and with 10 when something would. With `reflector` in
/// the configuration it also shows which copies a sidecar that started now would adopt, make,
/// update, fill, delete or leave, and why; for this it only lists and reads.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    place: Place,
    /// How it is shown
    #[arg(short, long, value_enum, default_value = "text")]
    output: PlanFormat,
    /// As for `job`: show what it would do with the same N
    #[arg(long, value_name = "N", default_value_t = 0)]
    allow_deletes: usize,
    #[command(flatten)]
    limit: Deadline,
}

impl Plan {
    pub(super) fn run(self, common: &Common) -> Ended {
        with_config(&self.place, |config| {
            let world = world(&config, &self.place, self.limit.deadline)
                .with_allowed_deletes(self.allow_deletes);
            show_plan(common, &config, ready(Ok(world)), self.output, true)
        })
    }
}

pub(super) fn show_plan(
    common: &Common,
    config: &Config,
    ready: impl Future<Output = Result<World, Ended>>,
    format: PlanFormat,
    reflector: bool,
) -> Ended {
    let now = jiff::Timestamp::now();
    let (ended, plan) = block_on(common, async {
        match ready.await {
            Ok(world) => one_pass::plan(config, world, reflector, now).await,
            Err(ended) => (ended, None),
        }
    });
    let text = plan.map(|plan| show(&plan, format, common.output_style()));
    let ended = if format == PlanFormat::Text && is_terminal() {
        ended.shown_above()
    } else {
        ended
    };
    then(print(&text.unwrap_or_default()), ended)
}
