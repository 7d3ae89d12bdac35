//! Log records that wait for a collector: the same events as on standard error, with the same
//! limits. Names and reasons; never a value.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Mutex;

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::base::lock::locked;
use crate::base::printable;

/// How many records wait while a collector is unreachable; the newest are kept.
const MOST: usize = 1024;

/// Nothing if no collector is configured.
static WAITING: Mutex<Option<VecDeque<Record>>> = Mutex::new(None);

/// One event.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it happened.
    pub at: Timestamp,
    /// Its level.
    pub level: Level,
    /// Its text.
    pub message: String,
    /// Names, classes, reasons.
    pub attributes: Vec<(&'static str, String)>,
}

impl Record {
    /// A record with the present time.
    pub fn new(level: Level, message: &str) -> Self {
        Self {
            at: Timestamp::now(),
            level,
            message: printable::line(message).into_owned(),
            attributes: Vec::new(),
        }
    }

    /// The same with one more attribute, if there is a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        let value = value.map(|value| (name, printable::line(value).into_owned()));
        self.attributes.extend(value);
        self
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = printable::line(value).into_owned();
        match field.name() {
            "message" => self.message = value,
            name => self.attributes.push((name, value)),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// From now on records are kept for a collector.
pub fn keep() {
    locked(&WAITING).get_or_insert_default();
}

/// Adds a record.
pub fn add(record: Record) {
    if let Some(waiting) = locked(&WAITING).as_mut() {
        waiting.push_back(record);
        let surplus = waiting.len().saturating_sub(MOST);
        waiting.drain(..surplus);
    }
}

/// Takes all records that wait.
pub fn take_all() -> Vec<Record> {
    let mut waiting = locked(&WAITING);
    let taken = waiting.as_mut().map(std::mem::take).unwrap_or_default();
    taken.into()
}

/// Puts records back that the collector did not take, before the newer ones.
pub fn give_back(records: Vec<Record>) {
    let newer = take_all();
    records.into_iter().chain(newer).for_each(add);
}

/// Passes on each event that the filter of the log lets through.
#[derive(Debug)]
pub(super) struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if locked(&WAITING).is_none() {
            return;
        }
        let mut record = Record::new(*event.metadata().level(), "");
        event.record(&mut record);
        add(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_records_wait_in_their_order() {
        let numbered = |number: usize| Record::new(Level::INFO, &number.to_string());
        add(numbered(0));
        assert!(take_all().is_empty(), "without a collector nothing waits");
        keep();
        (1..=MOST).map(numbered).for_each(add);
        let taken = take_all();
        assert_eq!(taken.len(), MOST);
        add(numbered(MOST + 1));
        give_back(taken);
        let taken = take_all();
        assert_eq!(taken.len(), MOST);
        let ends = [&taken[0].message, &taken[MOST - 1].message];
        assert_eq!(ends, ["2", &(MOST + 1).to_string()]);
        assert!(take_all().is_empty());
    }
}
