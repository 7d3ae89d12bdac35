//! `/metrics` in the text format of Prometheus. The names are a promise: docs/metrics.md explains
//! them, deploy/ uses them.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use super::delivery_health::DeliveryHealth;
use super::health::{Health, SidecarHealth};
use crate::base::counters;
use crate::base::failure::Class;
use crate::base::metric::{
    Figure, Metric, MetricKind, Value, counter, float, gauge, single, size, truth,
};
use crate::config::Reaction;
use crate::process::stderr;

/// The data that metrics read.
struct MetricData<'s> {
    state: &'s SidecarHealth,
    is_ready: bool,
    now: Instant,
}

type Read = fn(&MetricData<'_>) -> Vec<Value>;

/// Every metric except those of a reflector.
const METRICS: &[Metric<Read>] = &[
    gauge(
        "keyferry_build_info",
        "Always 1; the label says which version runs.",
        |_| vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)],
    ),
    gauge(
        "keyferry_ready",
        "Whether everything is ready, as /readyz says.",
        |seen| single(truth(seen.is_ready)),
    ),
    gauge(
        "keyferry_config_stale",
        "Whether the configuration on disk is refused and the old one in use.",
        |seen| single(truth(seen.state.stale.is_some())),
    ),
    counter(
        "keyferry_config_loads_total",
        "Configurations that were taken, the first included.",
        |seen| single(float(seen.state.loads)),
    ),
    counter(
        "keyferry_passes_total",
        "Passes over a group of deliveries.",
        |seen| single(float(seen.state.passes)),
    ),
    gauge(
        "keyferry_delivery_ready",
        "Whether the delivery is ready.",
        |seen| seen.for_each_delivery(|of| Some(truth(of.ready(seen.now).is_ok()))),
    ),
    gauge(
        "keyferry_delivery_last_success_timestamp_seconds",
        "When all of the delivery was last in order.",
        |seen| {
            seen.for_each_delivery(|of| {
                let second = of.good.map(|good| good.at.as_second());
                second
                    .and_then(|second| u64::try_from(second).ok())
                    .map(float)
            })
        },
    ),
    gauge(
        "keyferry_delivery_age_seconds",
        "How long ago that was.",
        |seen| seen.for_each_delivery(|of| of.age(seen.now).map(tenths)),
    ),
    gauge(
        "keyferry_delivery_lease_remaining_seconds",
        "How long the first of its leases or certificates still holds.",
        |seen| {
            seen.for_each_delivery(|of| {
                let end = of.lease_end;
                end.map(|end| tenths(end.saturating_duration_since(seen.now)))
            })
        },
    ),
    counter(
        "keyferry_delivery_changes_total",
        "Targets that were written.",
        |seen| seen.for_each_delivery(|of| Some(float(of.changes))),
    ),
    gauge(
        "keyferry_delivery_waiting_targets",
        "Targets whose change waits for a window.",
        |seen| {
            seen.for_each_delivery(|of| Some(size(of.waiting.map_or(0, |waiting| waiting.targets))))
        },
    ),
    counter(
        "keyferry_delivery_failures_total",
        "Passes that failed, by class.",
        |seen| {
            let deliveries = seen.state.deliveries.iter();
            // Zeros are written too: a series that begins with its first failure would show no
            // increase.
            let failures = deliveries.flat_map(|(name, of)| {
                Class::ALL.map(|class| {
                    let labels = vec![("delivery", name.clone()), ("class", class.to_string())];
                    let count = of.failures.get(&class).copied().unwrap_or_default();
                    (labels, float(count))
                })
            });
            failures.collect()
        },
    ),
    counter(
        "keyferry_reactions_total",
        "Reactions, by kind and result.",
        |seen| {
            let reactions = &seen.state.reactions;
            let value = |kind: &'static str, well: bool| {
                let result = if well { "done" } else { "failed" };
                let labels = vec![("kind", kind.to_owned()), ("result", result.to_owned())];
                let count = reactions.get(&(kind, well)).copied().unwrap_or_default();
                (labels, float(count))
            };
            let each = Reaction::WORDS.into_iter();
            each.flat_map(|kind| [true, false].map(|well| value(kind, well)))
                .collect()
        },
    ),
    counter(
        "keyferry_log_dropped_total",
        "Messages that standard error did not take.",
        |_| single(float(stderr::dropped())),
    ),
    counter(
        "keyferry_vault_requests_total",
        "Requests to Vault.",
        |_| single(float(counters::VAULT_REQUESTS.total())),
    ),
    gauge(
        "keyferry_vault_up",
        "Whether the last request met a server that does its work.",
        |_| {
            let servers = counters::VAULT_UP.list().into_iter();
            servers
                .map(|(server, up)| (vec![("server", server)], truth(up)))
                .collect()
        },
    ),
    counter(
        "keyferry_vault_errors_total",
        "Requests to Vault without a good answer.",
        |_| single(float(counters::VAULT_ERRORS.total())),
    ),
    counter(
        "keyferry_vault_logins_total",
        "Logins that Vault granted.",
        |_| single(float(counters::VAULT_LOGINS.total())),
    ),
    counter(
        "keyferry_vault_renewals_total",
        "Renewals of tokens and leases that Vault granted.",
        |_| single(float(counters::VAULT_RENEWALS.total())),
    ),
    counter(
        "keyferry_kubernetes_requests_total",
        "Requests to the API server, by verb and code of the answer.",
        |_| {
            let requests = counters::KUBERNETES_REQUESTS.list().into_iter();
            let value = |(verb, code, count): (&'static str, u16, u64)| {
                let code = match code {
                    0 => "none".to_owned(),
                    code => code.to_string(),
                };
                (
                    vec![("verb", verb.to_owned()), ("code", code)],
                    float(count),
                )
            };
            requests.map(value).collect()
        },
    ),
    counter(
        "keyferry_kubernetes_errors_total",
        "Requests to the API server without a good answer.",
        |_| single(float(counters::KUBERNETES_ERRORS.total())),
    ),
];

impl MetricData<'_> {
    /// One number for each delivery that has it.
    fn for_each_delivery(&self, read: impl Fn(&DeliveryHealth) -> Option<f64>) -> Vec<Value> {
        let deliveries = self.state.deliveries.iter();
        let value = |(name, of): (&String, &DeliveryHealth)| {
            Some((vec![("delivery", name.clone())], read(of)?))
        };
        deliveries.filter_map(value).collect()
    }
}

/// The names of all metrics except those of a reflector.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|metric| metric.name)
}

/// The numbers of `health` and of the process; the reflector's only if one is configured.
pub fn figures(health: &Health) -> Vec<Figure> {
    let (is_ready, _) = health.readiness();
    let state = health.state();
    let seen = &MetricData {
        state: &state,
        is_ready,
        now: Instant::now(),
    };
    let mut figures: Vec<Figure> = METRICS
        .iter()
        .map(|metric| metric.figure(|read| read(seen)))
        .collect();
    if state.reflector.readiness().is_some() {
        figures.extend(state.reflector.figures());
    }
    figures
}

/// The same as text.
pub fn text(health: &Health) -> String {
    let mut out = String::new();
    for figure in figures(health) {
        let Figure {
            name,
            kind,
            meaning,
            values,
        } = figure;
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
        };
        let _ = writeln!(out, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let labels: Vec<String> = labels
                .iter()
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
    out
}

fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// A label's value in the escaping of the format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Failure;
    use crate::pass::outcome::Failed;
    use crate::sidecar::health::PassReport;

    #[test]
    fn every_metric_that_is_promised_is_there() {
        let health = Health::default();
        health
            .state()
            .deliveries
            .insert("a\"b".to_owned(), DeliveryHealth::default());
        let told = |failures| PassReport {
            delivery: "a\"b".to_owned(),
            written: 2,
            failures,
            withdrawn: false,
            made: None,
            lease_end: Some(Instant::now()),
            waiting: None,
            held: None,
        };
        health.record(told(Vec::new()));
        let denied = Failed::in_delivery("a\"b", Failure::new(Class::Denied, "no"));
        health.record(told(vec![denied]));
        health.reacted("run", true);
        counters::ApiRequest::new("metrics").ended(true);
        counters::VAULT_UP.set("metrics", false);
        let text = text(&health);
        for name in names() {
            let samples = text.lines().filter(|line| line.starts_with(name)).count();
            assert!(samples > 0, "{name} has no sample in\n{text}");
        }
        for line in [
            "keyferry_delivery_ready{delivery=\"a\\\"b\"} 1",
            "keyferry_delivery_changes_total{delivery=\"a\\\"b\"} 4",
            "keyferry_delivery_failures_total{delivery=\"a\\\"b\",class=\"denied\"} 1",
            "keyferry_reactions_total{kind=\"run\",result=\"done\"} 1",
            "keyferry_delivery_failures_total{delivery=\"a\\\"b\",class=\"bug\"} 0",
            "keyferry_reactions_total{kind=\"webhook\",result=\"failed\"} 0",
            "keyferry_config_stale 0",
            "keyferry_vault_up{server=\"metrics\"} 0",
            "keyferry_kubernetes_requests_total{verb=\"metrics\",code=\"none\"} 1",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
