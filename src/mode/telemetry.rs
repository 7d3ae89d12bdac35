//! Metrics, span and log of a run with one pass, sent to a collector before the run ends.

use jiff::Timestamp;
use tracing::Level;

use super::Ended;
use crate::config::Collector;
use crate::config::Config;
use crate::pass::apply::Applied;
use crate::pass::outcome::Failed;
use crate::process::records::{self, Record};
use crate::sidecar::health::{Health, PassReport, Span};
use crate::sidecar::otlp;

/// The metrics, the span and the log of one pass.
pub(super) struct Telemetry<'c> {
    config: &'c Config,
    collector: &'c Collector,
    health: Health,
    begun: Timestamp,
}

impl<'c> Telemetry<'c> {
    /// Starts to keep the log, if a collector is configured.
    pub(super) fn start(config: &'c Config) -> Option<Self> {
        let collector = config.sidecar.otlp.as_ref()?;
        let health = Health::default();
        otlp::start(&health);
        health.use_configuration(config);
        Some(Self {
            config,
            collector,
            health,
            begun: Timestamp::now(),
        })
    }

    /// Takes in the result of the pass.
    pub(super) fn passed(&self, applied: &Applied) {
        let plans = applied.plan.deliveries.iter();
        let told = plans.zip(&applied.results);
        let told: Vec<PassReport> = told
            .map(|(plan, results)| PassReport::from_results(plan, results))
            .collect();
        let worst = told.iter().filter_map(PassReport::class).min();
        for told in told {
            // News are only for modes that keep running.
            drop(self.health.record(told));
        }
        self.health
            .passed(|| Span::ending_now(self.config, self.begun, worst));
    }

    /// Sends everything, and how the run ends.
    pub(super) async fn send(self, ended: &Ended) {
        match ended {
            Ended::Failed(failed) => {
                std::iter::once(failed)
                    .chain(&failed.others)
                    .for_each(Failed::record);
            }
            Ended::Well(line) | Ended::Differs(line) => {
                records::add(Record::new(Level::INFO, line));
            }
            Ended::Signal(_) => records::add(Record::new(Level::WARN, "stopped by a signal")),
            // A pass starts no program.
            Ended::Program(_) => {}
        }
        otlp::tell_last(self.collector, &self.health).await;
    }
}
