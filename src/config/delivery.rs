//! A delivery: which fields go to which targets, and in which form.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Location;
use super::check::Checker;
use super::field::{ComputedField, FieldName, RawField};
use super::located::{At, Ordered, Shown};
use super::reaction::{RawReaction, Reaction};
use super::source::{From, RawFrom, Source, VaultRead};
use super::staleness::{OnFailure, Staleness};
use super::target::{RawTarget, Target};
use super::window::RawWindow;

/// One promise: these fields, rendered so, to these targets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawDelivery {
    /// Unique name.
    pub name: At<Shown>,
    /// Sources, merged in order.
    #[serde(default)]
    pub from: Vec<At<RawFrom>>,
    /// Computed fields: name to template. A template may use the fields above it.
    #[serde(default)]
    pub fields: Ordered<At<RawField>>,
    /// Fields that must be there.
    #[serde(default)]
    pub require: Vec<At<Shown>>,
    /// Only these fields reach the targets; the others serve computed fields. Default: all.
    #[serde(default)]
    pub deliver: Vec<At<Shown>>,
    /// Deliver empty values too.
    #[serde(default)]
    pub allow_empty: bool,
    /// Targets; a delivery without them is for `keyferry exec` alone.
    #[serde(default)]
    pub to: Vec<At<RawTarget>>,
    /// How many changes `keyferry history` remembers, 1 to 100, beside the first target.
    pub history: Option<At<u64>>,
    /// Sidecar: reactions to a change of delivered data.
    #[serde(default)]
    pub on_change: Vec<At<RawReaction>>,
    /// Sidecar: how often sources that cannot be watched are read (default: `sidecar.refresh`).
    pub refresh: Option<At<Shown>>,
    /// Sidecar: older than this it is not ready.
    pub max_age: Option<At<Shown>>,
    /// Sidecar: when a source or field is absent that was delivered before (default: keep).
    pub on_missing: Option<At<OnFailure>>,
    /// Sidecar: when a login or a right is refused (default: keep).
    pub on_denied: Option<At<OnFailure>>,
    /// Sidecar: when a provider cannot be reached (default: keep).
    pub on_unavailable: Option<At<OnFailure>>,
    /// Sidecar: at the start, whole files that an earlier run left count as delivered while a
    /// provider is down.
    #[serde(default)]
    pub accept_cached: bool,
    /// Sidecar: when delivered data may be changed (default: `sidecar.windows`).
    #[serde(default)]
    pub windows: Vec<At<RawWindow>>,
}

/// A delivery: which fields go to which targets, and in which form.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Name of the delivery, unique.
    pub name: String,
    /// Sources, merged in order.
    pub from: Vec<From>,
    /// Fields that are computed after the merge, in order.
    pub fields: Vec<ComputedField>,
    /// Fields that must be there and not be empty.
    pub require: Vec<FieldName>,
    /// The only fields that reach the targets, in this order; all where it is empty.
    pub deliver: Vec<FieldName>,
    /// Whether empty values may be delivered.
    pub allow_empty: bool,
    /// Targets; only a delivery for `exec` may have none.
    pub to: Vec<Target>,
    /// How many entries its journal keeps; `None` where it has no journal.
    pub history: Option<usize>,
    /// Reactions of a sidecar to a change.
    pub on_change: Vec<Reaction>,
    /// What a sidecar does when its data ages or a source fails.
    pub staleness: Staleness,
    /// Where it was written.
    pub at: Location,
}

impl Delivery {
    /// The secrets that it reads in Vault, in order, each with all sources that read it: one secret
    /// in several spellings is one. A source that sends something (PKI) reads none.
    pub fn vault_secrets(&self) -> Vec<Vec<&From>> {
        let mut secrets: Vec<(Source, Vec<&From>)> = Vec::new();
        for from in &self.from {
            let Some(read) = from.source.vault().filter(|read| read.write.is_none()) else {
                continue;
            };
            let newest = VaultRead {
                version: None,
                ..read.clone()
            };
            let secret = Source::Vault(newest).whatever_its_spelling();
            match secrets.iter_mut().find(|(known, _)| *known == secret) {
                Some((_, readers)) => readers.push(from),
                None => secrets.push((secret, vec![from])),
            }
        }
        secrets.into_iter().map(|(_, readers)| readers).collect()
    }
}

impl Checker<'_> {
    pub(super) fn delivery(&mut self, written: At<RawDelivery>) -> Delivery {
        let at = self.location(&written);
        let RawDelivery {
            name,
            from,
            fields,
            require,
            deliver,
            allow_empty,
            to,
            history,
            on_change,
            refresh,
            max_age,
            on_missing,
            on_denied,
            on_unavailable,
            accept_cached,
            windows,
        } = written.value;
        let name = self.name(&name, "the delivery's name");
        if from.is_empty() && fields.0.is_empty() {
            self.problem(
                &at,
                format!("delivery `{name}` has no source"),
                "add `from: [{vault: …}]`",
            );
        }
        let fields = fields.0.into_iter();
        let fields = fields
            .map(|(name, field)| self.computed(name, field))
            .collect();
        let has_targets = !to.is_empty();
        let to = self.check_items(to, Self::target);
        let staleness = Staleness {
            refresh: refresh.and_then(|text| self.duration(&text)),
            max_age: max_age.and_then(|text| self.duration(&text)),
            on_missing: self.on_failure("onMissing", true, on_missing),
            on_denied: self.on_failure("onDenied", false, on_denied),
            on_unavailable: self.on_failure("onUnavailable", false, on_unavailable),
            accept_cached,
            windows: self.check_items(windows, Self::window),
        };
        self.staleness_suits(&at, &staleness, &to);
        let history = history.map(|written| self.history(&written, has_targets));
        let sources = from.len();
        let from = self.check_items(from, Self::from);
        if from.len() < sources {
            // The fields are unknown now, so other problems may follow.
            self.broken.push(at.clone());
        }
        Delivery {
            from,
            fields,
            require: self.field_names(&require),
            deliver: self.field_names(&deliver),
            allow_empty,
            to,
            history,
            on_change: self.check_items(on_change, Self::reaction),
            staleness,
            name,
            at,
        }
    }

    fn history(&mut self, written: &At<u64>, has_targets: bool) -> usize {
        if !has_targets {
            let what = "`history` needs a target to lie beside";
            self.problem(written, what, "add `to:`, or remove it");
        }
        self.bounded(
            written,
            "history",
            1..=100,
            "write 1 to 100, for example 20",
        )
    }
}
