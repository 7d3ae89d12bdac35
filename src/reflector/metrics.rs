//! The numbers of a running reflector under their names in `/metrics`. The names are a promise:
//! docs/metrics.md explains them, deploy/ uses them.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::liveness::{ENDS, Liveness, WatchState};
use crate::base::metric::{Figure, Metric, Value, counter, float, gauge, single, size, truth};

type Read = fn(&WatchState) -> Vec<Value>;

/// All of them.
const METRICS: &[Metric<Read>] = &[
    gauge(
        "keyferry_reflector_copies_wanted",
        "Copies that somebody asks for.",
        |state| single(size(state.counts.wanted)),
    ),
    gauge(
        "keyferry_reflector_copies",
        "Copies that are there; mirrors that somebody else made are not counted.",
        |state| single(size(state.counts.copies)),
    ),
    gauge(
        "keyferry_reflector_queue",
        "Jobs that wait or are under way.",
        |state| single(size(state.counts.queue)),
    ),
    gauge(
        "keyferry_reflector_held_deletes",
        "Deletions that wait for a person.",
        |state| single(size(state.counts.held)),
    ),
    gauge(
        "keyferry_reflector_leader",
        "Whether this replica works.",
        |state| single(truth(state.leads)),
    ),
    gauge(
        "keyferry_reflector_refused",
        "Places where something asked for is not done.",
        |state| {
            let refused = state.refusals.iter();
            let labels = |why: &str| vec![("reason", why.to_owned())];
            refused
                .map(|(why, count)| (labels(why), size(*count)))
                .collect()
        },
    ),
    counter(
        "keyferry_reflector_jobs_total",
        "Reads, writes, comparisons and deletions.",
        |state| {
            let value = |(job, how): &(&'static str, &'static str)| {
                let labels = vec![("job", (*job).to_owned()), ("result", (*how).to_owned())];
                let count = state.done.get(&(*job, *how)).copied().unwrap_or_default();
                (labels, float(count))
            };
            ENDS.iter().map(value).collect()
        },
    ),
    gauge(
        "keyferry_reflector_last_list_age_seconds",
        "Age of the last complete list.",
        |state| ages(&state.listed),
    ),
    gauge(
        "keyferry_reflector_last_heard_age_seconds",
        "Age of the last sign of a watch.",
        |state| ages(&state.heard),
    ),
    counter(
        "keyferry_reflector_lists_total",
        "Complete lists.",
        |state| single(float(state.relists)),
    ),
];

/// The names of all metrics of a reflector.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|metric| metric.name)
}

impl Liveness {
    /// All figures.
    pub fn figures(&self) -> Vec<Figure> {
        let state = &*self.state();
        let metrics = METRICS.iter();
        metrics
            .map(|metric| metric.figure(|read| read(state)))
            .collect()
    }
}

fn ages(watches: &BTreeMap<String, Instant>) -> Vec<Value> {
    let age = |(watch, at): (&String, &Instant)| {
        let labels = vec![("watch", watch.clone())];
        (labels, float(at.elapsed().as_secs()))
    };
    watches.iter().map(age).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_promised_is_there() {
        let liveness = Liveness::default();
        liveness.leads(true);
        liveness.listed("secrets");
        liveness.done("write", "ok");
        liveness.count(|counts| counts.held = 4);
        liveness.refusals(BTreeMap::from([("Foreign", 2)]));
        let figures = liveness.figures();
        for figure in &figures {
            assert!(!figure.values.is_empty(), "{}", figure.name);
        }
        let held = |figure: &&Figure| figure.name == "keyferry_reflector_held_deletes";
        assert_eq!(
            figures
                .iter()
                .find(held)
                .map(|figure| figure.values.clone()),
            Some(single(4.0))
        );
    }
}
