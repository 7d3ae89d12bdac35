//! The figures of a running reflector under the names that `/metrics` has for them. The names are a promise: docs/reflect.md
//! lists them, deploy/ uses them.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::pulse::{Pulse, State};
use crate::metric::{Metric, Sample, float, truth};

/// All of them.
pub const METRICS: &[Metric] = &[
    (
        "keyferry_reflector_copies_wanted",
        "gauge",
        "Copies that somebody asks for.",
    ),
    (
        "keyferry_reflector_copies",
        "gauge",
        "Copies and filled mirrors that are there.",
    ),
    (
        "keyferry_reflector_queue",
        "gauge",
        "Jobs that wait or are under way.",
    ),
    (
        "keyferry_reflector_held_deletes",
        "gauge",
        "Deletions that wait for a person.",
    ),
    (
        "keyferry_reflector_leader",
        "gauge",
        "Whether this replica works.",
    ),
    (
        "keyferry_reflector_refused",
        "gauge",
        "Places where something asked for is not done.",
    ),
    (
        "keyferry_reflector_jobs_total",
        "counter",
        "Reads, writes, comparisons and deletions.",
    ),
    (
        "keyferry_reflector_last_list_age_seconds",
        "gauge",
        "Age of the last complete list.",
    ),
    (
        "keyferry_reflector_last_heard_age_seconds",
        "gauge",
        "Age of the last sign of a watch.",
    ),
    (
        "keyferry_reflector_lists_total",
        "counter",
        "Complete lists.",
    ),
];

impl Pulse {
    /// All figures, in the order of [`METRICS`].
    pub fn samples(&self) -> Vec<Sample> {
        let state = self.state();
        let of = |(name, _, _): &Metric| {
            let values = values(name, &state).into_iter();
            let sample = |(labels, value)| Sample {
                name,
                labels,
                value,
            };
            values.map(sample).collect::<Vec<_>>()
        };
        METRICS.iter().flat_map(of).collect()
    }
}

type Value = (Vec<(&'static str, String)>, f64);

fn values(metric: &str, state: &State) -> Vec<Value> {
    let single = |value: f64| vec![(Vec::new(), value)];
    let gauge = |name: &str| {
        let count = state.gauges.get(name).copied().unwrap_or_default();
        single(count_of(count))
    };
    match metric {
        "keyferry_reflector_copies_wanted" => gauge("wanted"),
        "keyferry_reflector_copies" => gauge("copies"),
        "keyferry_reflector_queue" => gauge("queue"),
        "keyferry_reflector_held_deletes" => gauge("held"),
        "keyferry_reflector_leader" => single(truth(state.leads)),
        "keyferry_reflector_lists_total" => single(float(state.relists)),
        "keyferry_reflector_last_list_age_seconds" => ages(&state.listed),
        "keyferry_reflector_last_heard_age_seconds" => ages(&state.heard),
        "keyferry_reflector_refused" => {
            let refused = state.refusals.iter();
            let labels = |why: &&str| vec![("reason", (*why).to_owned())];
            refused
                .map(|(why, count)| (labels(why), count_of(*count)))
                .collect()
        }
        "keyferry_reflector_jobs_total" => {
            let done = state.done.iter();
            let labels =
                |job: &str, how: &str| vec![("job", job.to_owned()), ("result", how.to_owned())];
            done.map(|((job, how), count)| (labels(job, how), float(*count)))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn ages(watches: &BTreeMap<String, Instant>) -> Vec<Value> {
    let age = |(watch, at): (&String, &Instant)| {
        let labels = vec![("watch", watch.clone())];
        (labels, float(at.elapsed().as_secs()))
    };
    watches.iter().map(age).collect()
}

fn count_of(count: usize) -> f64 {
    u64::try_from(count).map_or(f64::MAX, float)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_that_is_promised_is_there() {
        let pulse = Pulse::default();
        pulse.leads(true);
        pulse.listed("secrets");
        pulse.done("write", "ok");
        pulse.gauge("held", 4);
        pulse.refusals(BTreeMap::from([("Foreign", 2)]));
        let samples = pulse.samples();
        for (name, _, _) in METRICS {
            assert!(samples.iter().any(|sample| sample.name == *name), "{name}");
        }
        let held = |sample: &&Sample| sample.name == "keyferry_reflector_held_deletes";
        assert_eq!(
            samples.iter().find(held).map(|sample| sample.value),
            Some(4.0)
        );
    }
}
