//! What came of a pass, told: one log line per event, a table for a terminal, the last line, the
//! exit code.

use std::fmt::Write;

use jiff::Timestamp;

use crate::base::failure::{Class, Failure};
use crate::base::plain;
use crate::pass::apply::Applied;
use crate::plan::prune;
use crate::plan::{Action, Plan, Step};

/// One failure and whose it is.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The delivery, where it is one's.
    pub delivery: Option<String>,
    /// The target, where it is one's.
    pub target: Option<String>,
    /// What failed.
    pub failure: Failure,
    /// How many others failed that are no worse.
    pub more: usize,
}

impl Failed {
    /// A failure of no delivery in particular.
    pub fn whole(failure: Failure) -> Self {
        Self {
            delivery: None,
            target: None,
            failure,
            more: 0,
        }
    }

    /// A failure of one delivery.
    pub fn of(delivery: &str, failure: Failure) -> Self {
        Self {
            delivery: Some(delivery.to_owned()),
            ..Self::whole(failure)
        }
    }

    /// The one that decides the exit code, which is the lowest of all; it knows how many others
    /// there are.
    pub fn worst(failures: &[Self]) -> Option<Self> {
        let (_, worst) = Self::find_worst(failures)?;
        Some(Self {
            more: failures.len() - 1,
            ..worst.clone()
        })
    }

    fn find_worst(failures: &[Self]) -> Option<(usize, &Self)> {
        let numbered = failures.iter().enumerate();
        numbered.min_by_key(|(_, failed)| failed.failure.class)
    }

    /// Logs all but the worst: that one is the last line of the run, and nothing is told twice.
    pub fn log_others(failures: &[Self]) {
        let worst = Self::find_worst(failures).map(|(index, _)| index);
        for (index, failed) in failures.iter().enumerate() {
            if Some(index) != worst {
                failed.log();
            }
        }
    }

    /// Logs the worst, where the last line of the run is another.
    pub fn log_worst(failures: &[Self]) {
        if let Some((_, worst)) = Self::find_worst(failures) {
            worst.log();
        }
    }

    /// One line of the log.
    pub fn log(&self) {
        let Self {
            delivery,
            target,
            failure,
            more: _,
        } = self;
        tracing::error!(
            delivery, target, class = %failure.class, reason = %failure.what, hint = failure.hint,
            "failed",
        );
    }

    /// The same where it was logged before: since when it lasts, if people are to be told that
    /// again.
    pub fn log_again(&self, since: Option<Timestamp>) {
        let Self {
            delivery,
            target,
            failure: Failure {
                class, what, hint, ..
            },
            more: _,
        } = self;
        match since {
            Some(since) => {
                tracing::warn!(delivery, target, %class, reason = %what, hint, "still failing \
                    since {since:.0}");
            }
            None => tracing::debug!(delivery, target, %class, reason = %what, "failed as before"),
        }
    }

    /// Class, delivery, reason, next step: for the last line and the termination log.
    pub fn line(&self) -> String {
        let Failed {
            delivery,
            target: _,
            failure,
            more,
        } = self;
        let mut line = format!("{}: ", failure.class);
        if let Some(delivery) = delivery {
            let _ = write!(line, "{delivery}: ");
        }
        line.push_str(&failure.what);
        if let Some(hint) = &failure.hint {
            let _ = write!(line, "; {hint}");
        }
        if *more > 0 {
            let _ = write!(line, " (and {more} more)");
        }
        line.replace(['\n', '\r'], " ")
    }
}

/// What a pass came to.
#[derive(Debug)]
pub struct Outcome {
    /// All failures, in the order of the configuration.
    pub failures: Vec<Failed>,
    /// Targets by what was done to them.
    pub created: usize,
    /// Changed, recreated ones included.
    pub updated: usize,
    /// Gone.
    pub deleted: usize,
    /// As they should have been.
    pub unchanged: usize,
    rows: Vec<[String; 4]>,
}

impl Outcome {
    /// Reads what came of a plan, and logs each change and all failures but the worst.
    pub fn of(applied: &Applied) -> Self {
        let outcome = Self::changes(applied);
        Failed::log_others(&outcome.failures);
        outcome
    }

    /// Reads what came of a plan, and logs each change.
    pub fn changes(applied: &Applied) -> Self {
        let mut outcome = Self {
            failures: Vec::new(),
            created: 0,
            updated: 0,
            deleted: 0,
            unchanged: 0,
            rows: Vec::new(),
        };
        for (delivery, results) in applied.plan.deliveries.iter().zip(&applied.results) {
            match &delivery.steps {
                Err(failure) => outcome.fail(&delivery.delivery, None, failure),
                Ok(steps) => {
                    for (step, result) in steps.iter().zip(results) {
                        match result {
                            Ok(()) => outcome.done(&delivery.delivery, step),
                            Err(failure) => {
                                let target = step.artifact.to_string();
                                outcome.fail(&delivery.delivery, Some(target), failure);
                            }
                        }
                    }
                }
            }
        }
        outcome
    }

    fn done(&mut self, delivery: &str, step: &Step) {
        let target = step.artifact.to_string();
        let (word, why) = match &step.action {
            Action::Keep | Action::Refuse(_) | Action::Wait => {
                self.unchanged += 1;
                tracing::debug!(delivery, %target, "unchanged");
                ("unchanged", String::new())
            }
            Action::Create => {
                self.created += 1;
                tracing::info!(delivery, %target, "created");
                ("created", String::new())
            }
            Action::Delete => {
                self.deleted += 1;
                let reason = prune::why(&step.artifact);
                tracing::info!(delivery, %target, reason, "deleted");
                ("deleted", reason.to_owned())
            }
            Action::Update(reason) | Action::Recreate(reason) => {
                self.updated += 1;
                let reason = step.because(reason);
                tracing::info!(delivery, %target, reason, "updated");
                ("updated", reason)
            }
        };
        self.rows
            .push([delivery.to_owned(), target, word.to_owned(), why]);
    }

    fn fail(&mut self, delivery: &str, target: Option<String>, failure: &Failure) {
        // The reason is in the log and in the last line: the table stands between them.
        self.rows.push([
            delivery.to_owned(),
            target.clone().unwrap_or_default(),
            "failed".to_owned(),
            failure.class.to_string(),
        ]);
        self.failures.push(Failed {
            target,
            ..Failed::of(delivery, failure.clone())
        });
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
        match (created, updated, deleted) {
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
        }
    }

    /// A table of every target.
    pub fn table(&self) -> String {
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
            let line = format!("{delivery:<a$}  {target:<b$}  {result:<c$}  {why}");
            let _ = writeln!(out, "{}", plain::line(line.trim_end()));
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
            Err(failure) => failures.push(Failed::of(name, failure.clone())),
            Ok(steps) => failures.extend(steps.iter().filter_map(|step| match &step.action {
                Action::Refuse(failure) => Some(Failed {
                    target: Some(step.artifact.to_string()),
                    ..Failed::of(name, failure.clone())
                }),
                Action::Keep
                | Action::Create
                | Action::Update(_)
                | Action::Recreate(_)
                | Action::Delete
                | Action::Wait => None,
            })),
        }
    }
    let reflector = plan.reflector.iter().flat_map(|reflector| match reflector {
        Ok(foresight) => foresight.failures.as_slice(),
        Err(failure) => std::slice::from_ref(failure),
    });
    failures.extend(reflector.map(|failure| Failed::of("reflector", failure.clone())));
    failures
}

/// A number and its noun: `1 delivery`, `2 deliveries`.
pub fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A defect of ours, as a failure.
pub fn defect() -> Failed {
    Failed::whole(
        Failure::new(Class::Bug, "keyferry met a defect of its own")
            .hint("the log line before this one says where; please report it"),
    )
}
