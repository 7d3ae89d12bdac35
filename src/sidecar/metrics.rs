//! `/metrics` in the text format of Prometheus. The names are a promise: docs/sidecar.md lists them, deploy/ uses them.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use super::board::Board;
use super::standing::Standing;
use crate::metric::{Label, Metric, Sample, float, truth};
use crate::{reflector, stderr, tally};

/// Every metric, but for those of a reflector.
pub const METRICS: &[Metric] = &[
    (
        "keyferry_build_info",
        "gauge",
        "Always 1; the label says which version runs.",
    ),
    (
        "keyferry_ready",
        "gauge",
        "Whether everything is ready, as /readyz says.",
    ),
    (
        "keyferry_config_stale",
        "gauge",
        "Whether the configuration on disk is refused and the old one in use.",
    ),
    (
        "keyferry_config_loads_total",
        "counter",
        "Configurations that were taken, the first included.",
    ),
    (
        "keyferry_passes_total",
        "counter",
        "Passes over a group of deliveries.",
    ),
    (
        "keyferry_delivery_ready",
        "gauge",
        "Whether the delivery is ready.",
    ),
    (
        "keyferry_delivery_last_success_timestamp_seconds",
        "gauge",
        "When all of the delivery was last in order.",
    ),
    (
        "keyferry_delivery_age_seconds",
        "gauge",
        "How long ago that was.",
    ),
    (
        "keyferry_delivery_lease_remaining_seconds",
        "gauge",
        "How long the first of its leases or certificates still holds.",
    ),
    (
        "keyferry_delivery_changes_total",
        "counter",
        "Targets that were written.",
    ),
    (
        "keyferry_delivery_waiting_targets",
        "gauge",
        "Targets whose change waits for a window.",
    ),
    (
        "keyferry_delivery_failures_total",
        "counter",
        "Passes that failed, by class.",
    ),
    (
        "keyferry_reactions_total",
        "counter",
        "Reactions, by kind and result.",
    ),
    (
        "keyferry_log_dropped_total",
        "counter",
        "Messages that standard error did not take.",
    ),
    (
        "keyferry_vault_requests_total",
        "counter",
        "Requests to Vault.",
    ),
    (
        "keyferry_vault_up",
        "gauge",
        "Whether the last request met a server that does its work.",
    ),
    (
        "keyferry_vault_errors_total",
        "counter",
        "Requests to Vault without a good answer.",
    ),
    (
        "keyferry_vault_logins_total",
        "counter",
        "Logins that Vault granted.",
    ),
    (
        "keyferry_vault_renewals_total",
        "counter",
        "Renewals of tokens and leases that Vault granted.",
    ),
    (
        "keyferry_kubernetes_requests_total",
        "counter",
        "Requests to the API server, by verb and code of the answer.",
    ),
    (
        "keyferry_kubernetes_errors_total",
        "counter",
        "Requests to the API server without a good answer.",
    ),
];

/// The metrics that there are now: those of a reflector only where one is configured.
pub fn metrics(board: &Board) -> impl Iterator<Item = &'static Metric> {
    let reflects = board.state().reflector.readiness().is_some();
    let more: &[Metric] = if reflects { reflector::METRICS } else { &[] };
    METRICS.iter().chain(more)
}

/// Everything that is on the board, and what the process counted, in the order of [`metrics`].
pub fn samples(board: &Board) -> Vec<Sample> {
    let now = Instant::now();
    let (all_ready, _) = board.readiness();
    let state = board.state();
    let mut samples = Vec::new();
    for (name, _, _) in METRICS {
        let mut one = |labels: Vec<(&'static str, String)>, value: f64| {
            samples.push(Sample {
                name,
                labels,
                value,
            });
        };
        match *name {
            "keyferry_build_info" => {
                one(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
            }
            "keyferry_ready" => one(Vec::new(), truth(all_ready)),
            "keyferry_config_stale" => one(Vec::new(), truth(state.stale.is_some())),
            "keyferry_config_loads_total" => one(Vec::new(), float(state.loads)),
            "keyferry_log_dropped_total" => one(Vec::new(), float(stderr::dropped())),
            "keyferry_passes_total" => one(Vec::new(), float(state.passes)),
            "keyferry_reactions_total" => {
                for ((kind, well), count) in &state.reactions {
                    let result = if *well { "done" } else { "failed" };
                    let labels = vec![("kind", (*kind).to_owned()), ("result", result.to_owned())];
                    one(labels, float(*count));
                }
            }
            "keyferry_vault_up" => {
                for (server, up) in tally::VAULT_UP.each() {
                    one(vec![("server", server)], truth(up));
                }
            }
            "keyferry_kubernetes_requests_total" => {
                for (verb, code, count) in tally::KUBERNETES_REQUESTS.each() {
                    let code = match code {
                        0 => "none".to_owned(),
                        code => code.to_string(),
                    };
                    one(
                        vec![("verb", verb.to_owned()), ("code", code)],
                        float(count),
                    );
                }
            }
            of_a_delivery if of_a_delivery.starts_with("keyferry_delivery_") => {
                for (delivery, standing) in &state.deliveries {
                    for (label, value) in values(of_a_delivery, standing, now) {
                        let delivery = ("delivery", delivery.clone());
                        one(std::iter::once(delivery).chain(label).collect(), value);
                    }
                }
            }
            of_the_process => one(Vec::new(), float(counted(of_the_process))),
        }
    }
    if state.reflector.readiness().is_some() {
        samples.extend(state.reflector.samples());
    }
    samples
}

/// The same as text.
pub fn text(board: &Board) -> String {
    let samples = samples(board);
    let mut out = String::new();
    for (name, kind, meaning) in metrics(board) {
        let _ = writeln!(out, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
        for sample in samples.iter().filter(|sample| sample.name == *name) {
            let labels = sample.labels.iter();
            let labels: Vec<String> = labels
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(out, "{name}{labels} {}", sample.value);
        }
    }
    out
}

fn counted(metric: &str) -> u64 {
    let tally = match metric {
        "keyferry_vault_requests_total" => &tally::VAULT_REQUESTS,
        "keyferry_vault_errors_total" => &tally::VAULT_ERRORS,
        "keyferry_vault_logins_total" => &tally::VAULT_LOGINS,
        "keyferry_vault_renewals_total" => &tally::VAULT_RENEWALS,
        "keyferry_kubernetes_errors_total" => &tally::KUBERNETES_ERRORS,
        _ => return 0,
    };
    tally.total()
}

/// The values of one metric of a delivery, each with a label beside the delivery's where it has one.
fn values(metric: &str, standing: &Standing, now: Instant) -> Vec<(Option<Label>, f64)> {
    let single = |value: Option<f64>| value.map(|value| (None, value)).into_iter().collect();
    match metric {
        "keyferry_delivery_ready" => single(Some(truth(standing.ready(now).is_ok()))),
        "keyferry_delivery_last_success_timestamp_seconds" => {
            let good = standing.good.map(|good| good.at.as_second());
            single(
                good.and_then(|second| u64::try_from(second).ok())
                    .map(float),
            )
        }
        "keyferry_delivery_age_seconds" => single(standing.age(now).map(tenths)),
        "keyferry_delivery_lease_remaining_seconds" => {
            let end = standing.lease_end;
            single(end.map(|end| tenths(end.saturating_duration_since(now))))
        }
        "keyferry_delivery_changes_total" => single(Some(float(standing.changes))),
        "keyferry_delivery_waiting_targets" => {
            let targets = standing.waiting.map_or(0, |waiting| waiting.targets);
            single(u64::try_from(targets).ok().map(float))
        }
        "keyferry_delivery_failures_total" => standing
            .failures
            .iter()
            .map(|(class, count)| (Some(("class", class.to_string())), float(*count)))
            .collect(),
        _ => Vec::new(),
    }
}

fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

/// A label's value as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failed;
    use crate::report::{Class, Failure};
    use crate::sidecar::board::Told;

    #[test]
    fn every_metric_that_is_promised_is_there() {
        let board = Board::default();
        board
            .state()
            .deliveries
            .insert("a\"b".to_owned(), Standing::default());
        let told = |failures| Told {
            delivery: "a\"b".to_owned(),
            written: 2,
            failures,
            withdrawn: false,
            made: None,
            lease_end: Some(Instant::now()),
            waiting: None,
        };
        board.tell(told(Vec::new()));
        let denied = Failed::of("a\"b", Failure::new(Class::Denied, "no"));
        board.tell(told(vec![denied]));
        board.reacted("run", true);
        tally::Request::new("metrics").ended(true);
        tally::VAULT_UP.set("metrics", false);
        let text = text(&board);
        for (name, _, _) in METRICS {
            let samples = text.lines().filter(|line| line.starts_with(name)).count();
            assert!(samples > 0, "{name} has no sample in\n{text}");
        }
        for line in [
            "keyferry_delivery_ready{delivery=\"a\\\"b\"} 1",
            "keyferry_delivery_changes_total{delivery=\"a\\\"b\"} 4",
            "keyferry_delivery_failures_total{delivery=\"a\\\"b\",class=\"denied\"} 1",
            "keyferry_reactions_total{kind=\"run\",result=\"done\"} 1",
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
