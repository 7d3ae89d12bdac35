//! `/metrics` in the text format of Prometheus. The names are a promise: docs/sidecar.md lists them, deploy/ uses them.

use std::fmt::Write;

use tokio::time::Instant;

use super::board::Board;
use super::standing::Standing;
use crate::tally;

/// Name, type and meaning of every metric.
pub const METRICS: &[(&str, &str, &str)] = &[
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
        "keyferry_vault_requests_total",
        "counter",
        "Requests to Vault.",
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
        "Requests to the API server.",
    ),
    (
        "keyferry_kubernetes_errors_total",
        "counter",
        "Requests to the API server without a good answer.",
    ),
];

/// Everything that is on the board, and what the process counted.
pub fn text(board: &Board) -> String {
    let now = Instant::now();
    let (all_ready, _) = board.readiness();
    let state = board.state();
    let mut out = String::new();
    for (name, kind, meaning) in METRICS {
        let _ = writeln!(out, "# HELP {name} {meaning}\n# TYPE {name} {kind}");
        let mut one = |labels: &str, value: String| {
            let _ = writeln!(out, "{name}{labels} {value}");
        };
        match *name {
            "keyferry_build_info" => one(
                concat!("{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
                "1".to_owned(),
            ),
            "keyferry_ready" => one("", number(all_ready)),
            "keyferry_config_stale" => one("", number(state.stale.is_some())),
            "keyferry_config_loads_total" => one("", state.loads.to_string()),
            "keyferry_passes_total" => one("", state.passes.to_string()),
            "keyferry_reactions_total" => {
                for ((kind, well), count) in &state.reactions {
                    let result = if *well { "done" } else { "failed" };
                    one(
                        &format!("{{kind=\"{kind}\",result=\"{result}\"}}"),
                        count.to_string(),
                    );
                }
            }
            "keyferry_vault_requests_total" => one("", tally::VAULT_REQUESTS.total().to_string()),
            "keyferry_vault_errors_total" => one("", tally::VAULT_ERRORS.total().to_string()),
            "keyferry_vault_logins_total" => one("", tally::VAULT_LOGINS.total().to_string()),
            "keyferry_vault_renewals_total" => one("", tally::VAULT_RENEWALS.total().to_string()),
            "keyferry_kubernetes_requests_total" => {
                one("", tally::KUBERNETES_REQUESTS.total().to_string());
            }
            "keyferry_kubernetes_errors_total" => {
                one("", tally::KUBERNETES_ERRORS.total().to_string());
            }
            of_a_delivery => {
                for (delivery, standing) in &state.deliveries {
                    for (label, value) in values(of_a_delivery, standing, now) {
                        let delivery = escaped(delivery);
                        one(&format!("{{delivery=\"{delivery}\"{label}}}"), value);
                    }
                }
            }
        }
    }
    if state.reflector.readiness().is_some() {
        out.push_str(&state.reflector.metrics());
    }
    out
}

/// The values of one metric of a delivery, each with what follows its first label.
fn values(metric: &str, standing: &Standing, now: Instant) -> Vec<(String, String)> {
    let single = |value: Option<String>| {
        value
            .map(|value| (String::new(), value))
            .into_iter()
            .collect()
    };
    match metric {
        "keyferry_delivery_ready" => single(Some(number(standing.ready(now).is_ok()))),
        "keyferry_delivery_last_success_timestamp_seconds" => {
            single(standing.good.map(|good| good.at.as_second().to_string()))
        }
        "keyferry_delivery_age_seconds" => single(
            standing
                .age(now)
                .map(|age| format!("{:.1}", age.as_secs_f64())),
        ),
        "keyferry_delivery_lease_remaining_seconds" => single(
            standing
                .lease_end
                .map(|end| format!("{:.1}", end.saturating_duration_since(now).as_secs_f64())),
        ),
        "keyferry_delivery_changes_total" => single(Some(standing.changes.to_string())),
        "keyferry_delivery_failures_total" => standing
            .failures
            .iter()
            .map(|(class, count)| (format!(",class=\"{class}\""), count.to_string()))
            .collect(),
        _ => Vec::new(),
    }
}

fn number(truth: bool) -> String {
    u8::from(truth).to_string()
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
    use crate::report::{Class, Failure};
    use crate::sidecar::board::Told;

    #[test]
    fn every_metric_that_is_promised_is_there() {
        let board = Board::default();
        board
            .state()
            .deliveries
            .insert("a\"b".to_owned(), Standing::default());
        let told = |failure| Told {
            delivery: "a\"b".to_owned(),
            written: 2,
            failure,
            withdrawn: false,
            lease_end: Some(Instant::now()),
        };
        board.tell(told(None));
        board.tell(told(Some(Failure::new(Class::Denied, "no"))));
        board.reacted("run", true);
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
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }
}
