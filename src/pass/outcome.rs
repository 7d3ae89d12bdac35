//! Reports the result of a pass: one log line per event, a table for a terminal, the last line, the
//! exit code.

use std::fmt::Write;

use jiff::Timestamp;

use crate::base::failure::{Class, Failure};
use crate::base::printable;
use crate::base::style::{Style, Tone};
use crate::config::Config;
use crate::pass::apply::Applied;
use crate::plan::prune;
use crate::plan::{Action, Plan, Step};
use crate::process::records::{self, Record};

/// One failure, and the delivery and target that it belongs to.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The delivery, if the failure belongs to one.
    pub delivery: Option<String>,
    /// The target, if the failure belongs to one.
    pub target: Option<String>,
    /// The failure.
    pub failure: Failure,
    /// All other failures, none of which is worse.
    pub others: Vec<Self>,
}

impl Failed {
    /// A failure that belongs to no delivery.
    pub fn of_the_run(failure: Failure) -> Self {
        Self {
            delivery: None,
            target: None,
            failure,
            others: Vec::new(),
        }
    }

    /// A failure of one delivery.
    pub fn in_delivery(delivery: &str, failure: Failure) -> Self {
        Self {
            delivery: Some(delivery.to_owned()),
            ..Self::of_the_run(failure)
        }
    }

    /// The same failure with its place in the configuration, unless its text names one.
    #[must_use]
    pub fn placed(mut self, config: &Config) -> Self {
        let delivery = self.delivery.as_deref().unwrap_or_default();
        if let Some(at) = config.place(delivery, self.target.as_deref()) {
            let what = &self.failure.what;
            let named = what
                .match_indices(&format!("{}:", at.file))
                .any(|(start, file)| {
                    what[start + file.len()..].starts_with(|c: char| c.is_ascii_digit())
                });
            if !named {
                self.failure.what = format!("{at}: {what}");
            }
        }
        self
    }

    /// The failure that decides the exit code, which is the lowest of all; `others` holds the rest.
    pub fn worst(failures: &[Self]) -> Option<Self> {
        let (index, worst) = Self::find_worst(failures)?;
        let mut others = failures.to_vec();
        others.remove(index);
        Some(Self {
            others,
            ..worst.clone()
        })
    }

    /// The same, where each failure names its place in the configuration.
    pub fn worst_placed(failures: &[Self], config: &Config) -> Option<Self> {
        let placed = failures.iter().map(|failed| failed.clone().placed(config));
        Self::worst(&placed.collect::<Vec<_>>())
    }

    fn find_worst(failures: &[Self]) -> Option<(usize, &Self)> {
        let numbered = failures.iter().enumerate();
        numbered.min_by_key(|(_, failed)| failed.failure.class)
    }

    /// Writes one line of the log.
    pub fn log(&self) {
        let Self {
            delivery,
            target,
            failure,
            others: _,
        } = self;
        tracing::error!(
            delivery, target, class = %failure.class, reason = %failure.what, hint = failure.hint,
            "failed",
        );
    }

    /// The same, for a collector only: on standard error the last line of a run reports it.
    pub fn record(&self) {
        let Failure {
            class, what, hint, ..
        } = &self.failure;
        let record = Record::new(tracing::Level::ERROR, "failed")
            .with("delivery", self.delivery.as_deref())
            .with("target", self.target.as_deref())
            .with("class", Some(class.word()))
            .with("reason", Some(what))
            .with("hint", hint.as_deref());
        records::add(record);
    }

    /// The same for a failure that was logged before: with its beginning, if it is time to report
    /// it again.
    pub fn log_again(&self, since: Option<Timestamp>) {
        let Self {
            delivery,
            target,
            failure: Failure {
                class, what, hint, ..
            },
            others: _,
        } = self;
        match since {
            Some(since) => {
                tracing::warn!(delivery, target, %class, reason = %what, hint, "still failing \
                    since {since:.0}");
            }
            None => tracing::debug!(delivery, target, %class, reason = %what, "failed as before"),
        }
    }

    /// Class, delivery and reason.
    pub fn what(&self) -> String {
        let class = self.failure.class;
        let what = &self.failure.what;
        let text = match &self.delivery {
            Some(delivery) => format!("{class}: {delivery}: {what}"),
            None => format!("{class}: {what}"),
        };
        text.replace(['\n', '\r'], " ")
    }

    /// The same with the next step, and the number of other failures: for the termination log.
    pub fn line(&self) -> String {
        let mut line = self.what();
        if let Some(hint) = &self.failure.hint {
            let _ = write!(line, "; {}", hint.replace(['\n', '\r'], " "));
        }
        match self.others.len() {
            0 => {}
            more => {
                let _ = write!(line, " (and {more} more)");
            }
        }
        line
    }
}

/// The result of a pass.
#[derive(Debug)]
pub struct Outcome {
    /// All failures, in the order of the configuration.
    pub failures: Vec<Failed>,
    /// Number of targets that were created.
    pub created: usize,
    /// Number of targets that were changed, recreated ones included.
    pub updated: usize,
    /// Number of targets that were deleted.
    pub deleted: usize,
    /// Number of targets that needed no change.
    pub unchanged: usize,
    /// Deliveries that are held at an earlier state, and since when.
    held: Vec<String>,
    rows: Vec<[String; 4]>,
}

impl Outcome {
    /// Reads the results of a plan.
    pub fn from_applied(applied: &Applied, config: &Config) -> Self {
        let mut outcome = Self {
            failures: Vec::new(),
            created: 0,
            updated: 0,
            deleted: 0,
            unchanged: 0,
            held: Vec::new(),
            rows: Vec::new(),
        };
        for (delivery, results) in applied.plan.deliveries.iter().zip(&applied.results) {
            let held = delivery.held.iter();
            let held = held.map(|held| format!("`{}` is {held}", delivery.delivery));
            outcome.held.extend(held);
            match &delivery.steps {
                Err(failure) => outcome.fail_whole(&delivery.delivery, config, failure),
                Ok(steps) => {
                    for (step, result) in steps.iter().zip(results) {
                        match result {
                            Ok(()) => outcome.done(&delivery.delivery, step),
                            Err(failure) => {
                                let target = step.artifact.to_string();
                                outcome.row_of_failure(&delivery.delivery, &target, failure);
                                outcome
                                    .failures
                                    .extend(failure.each().map(|failure| Failed {
                                        target: Some(target.clone()),
                                        ..Failed::in_delivery(&delivery.delivery, failure)
                                    }));
                            }
                        }
                    }
                }
            }
        }
        outcome
    }

    fn done(&mut self, delivery: &str, step: &Step) {
        let (word, why) = match &step.action {
            Action::Keep | Action::Refuse(_) | Action::Wait => {
                self.unchanged += 1;
                ("unchanged", String::new())
            }
            Action::Create => {
                self.created += 1;
                ("created", String::new())
            }
            Action::Delete => {
                self.deleted += 1;
                ("deleted", prune::why(&step.artifact).to_owned())
            }
            Action::Update(reason) | Action::Recreate(reason) => {
                self.updated += 1;
                ("updated", step.because(reason))
            }
        };
        let target = step.artifact.to_string();
        self.rows
            .push([delivery.to_owned(), target, word.to_owned(), why]);
    }

    /// Writes one log line for each target, if no table shows them. The caller that ends the run
    /// reports the failures.
    pub fn log_changes(&self) {
        for [delivery, target, word, why] in &self.rows {
            let reason = Some(why).filter(|why| !why.is_empty());
            match word.as_str() {
                "failed" => {}
                "unchanged" => tracing::debug!(delivery, %target, "unchanged"),
                _ => tracing::info!(delivery, %target, reason, "{word}"),
            }
        }
    }

    /// Nothing of this delivery was made: each of its targets is unchanged.
    fn fail_whole(&mut self, delivery: &str, config: &Config, failure: &Failure) {
        let mut deliveries = config.deliveries.iter();
        let targets = deliveries
            .find(|one| one.name == delivery)
            .map_or(&[][..], |one| &one.to);
        for target in targets {
            self.row_of_failure(delivery, &target.to_string(), failure);
        }
        if targets.is_empty() {
            self.row_of_failure(delivery, "", failure);
        }
        let failed = |failure| Failed::in_delivery(delivery, failure);
        self.failures.extend(failure.each().map(failed));
    }

    /// The reason is printed once, below the table.
    fn row_of_failure(&mut self, delivery: &str, target: &str, failure: &Failure) {
        let class = failure.class.to_string();
        self.rows
            .push([delivery, target, "failed", &class].map(str::to_owned));
    }

    /// Whether a login or a right was refused.
    pub fn was_refused(&self) -> bool {
        let mut classes = self.failures.iter().map(|failed| failed.failure.class);
        classes.any(|class| class == Class::Denied)
    }

    /// The last line of a run in which nothing failed.
    pub fn summary(&self) -> String {
        let Self {
            created,
            updated,
            deleted,
            unchanged,
            ..
        } = self;
        let done = match (created, updated, deleted) {
            (0, 0, 0) => {
                let targets = counted(*unchanged, "target", "targets");
                format!("in sync: nothing changed ({targets})")
            }
            (_, _, 0) => {
                format!("in sync: {created} created, {updated} updated, {unchanged} unchanged")
            }
            _ => format!(
                "in sync: {created} created, {updated} updated, {deleted} deleted, {unchanged} \
                 unchanged"
            ),
        };
        let parts: Vec<&str> = std::iter::once(&done)
            .chain(&self.held)
            .map(String::as_str)
            .collect();
        parts.join("; ")
    }

    /// A table of every target.
    pub fn table(&self, style: Style) -> String {
        let head = ["delivery", "target", "result", "why"].map(str::to_owned);
        let rows: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.rows).collect();
        let mut widths = [0; 3];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row.iter()) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = String::new();
        for [delivery, target, result, why] in rows {
            let [a, b, c] = widths;
            let place = format!("{delivery:<a$}  {target:<b$}  ");
            let padded = format!("{result:<c$}");
            let word = match result.as_str() {
                "failed" | "deleted" => style.paint(Tone::Bad, &padded),
                "created" => style.paint(Tone::New, &padded),
                "updated" => style.paint(Tone::Changed, &padded),
                _ => padded,
            };
            let (place, why) = (printable::line(&place), printable::line(why));
            let line = format!("{place}{word}  {why}");
            let _ = writeln!(out, "{}", line.trim_end());
        }
        out
    }
}

/// The failures that a plan foresees.
pub fn foreseen(plan: &Plan) -> Vec<Failed> {
    let mut failures = Vec::new();
    for delivery in &plan.deliveries {
        let name = &delivery.delivery;
        match &delivery.steps {
            Err(failure) => {
                failures.extend(failure.each().map(|one| Failed::in_delivery(name, one)))
            }
            Ok(steps) => failures.extend(steps.iter().filter_map(|step| {
                Some(Failed {
                    target: Some(step.artifact.to_string()),
                    ..Failed::in_delivery(name, step.action.refusal()?.clone())
                })
            })),
        }
    }
    let reflector = plan.reflector.iter().flat_map(|reflector| match reflector {
        Ok(foresight) => foresight.failures.as_slice(),
        Err(failure) => std::slice::from_ref(failure),
    });
    failures.extend(reflector.map(|failure| Failed::in_delivery("reflector", failure.clone())));
    failures
}

/// A number and its noun: `1 delivery`, `2 deliveries`.
pub fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A defect of ours, as a failure.
pub fn defect() -> Failed {
    Failed::of_the_run(
        Failure::new(Class::Bug, "keyferry met a defect of its own")
            .hint("the log line before this one says where; please report it"),
    )
}
