//! Rules for the age of delivered data, and for sources that fail.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::located::At;
use super::window::Window;
use super::{FileFormat, Location, Target};
use crate::base::failure::{Class, FailureRule};

/// The rules of one delivery.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Staleness {
    /// How often its sources are read; `None`: as `sidecar.refresh` says.
    pub refresh: Option<Duration>,
    /// Age from which the delivery is not ready.
    pub max_age: Option<Duration>,
    /// When changes may be made; empty: as `sidecar.windows` says.
    pub windows: Vec<Window>,
    /// When a source or field is absent.
    pub on_missing: OnFailure,
    /// When a login or a right is refused.
    pub on_denied: OnFailure,
    /// When a provider cannot be reached.
    pub on_unavailable: OnFailure,
    /// Whether targets of an earlier run count as delivered while a provider is down.
    pub accept_cached: bool,
}

/// What to do when a source fails that was delivered before.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// Keep the delivered data, and stay ready.
    #[default]
    Keep,
    /// Keep the delivered data, but be unready.
    Unready,
    /// Only `onMissing`: remove the delivered data once the source is definitely gone.
    Delete,
}

impl Staleness {
    /// What becomes of delivered data after a failure of this class.
    pub fn on_failure(&self, class: Class) -> OnFailure {
        match class.rule() {
            FailureRule::OnMissing => self.on_missing,
            FailureRule::OnDenied => self.on_denied,
            FailureRule::OnUnavailable => self.on_unavailable,
            FailureRule::Keep => OnFailure::Keep,
        }
    }
}

impl Checker<'_> {
    /// Only a definite absence may delete: see rule (a) of the faults.
    pub(super) fn on_failure(
        &mut self,
        name: &str,
        may_delete: bool,
        written: Option<At<OnFailure>>,
    ) -> OnFailure {
        let Some(written) = written else {
            return OnFailure::default();
        };
        if written.value == OnFailure::Delete && !may_delete {
            self.problem(
                &written,
                format!(
                    "`{name}` cannot delete: a server that refuses or is down does not \
                        say that the data is gone"
                ),
                "write keep or unready; only `onMissing` may delete",
            );
            return OnFailure::Keep;
        }
        written.value
    }

    /// An edited file cannot be removed or recognised as a whole; the age of an object in a cluster
    /// is unknown to us.
    pub(super) fn staleness_suits(&mut self, at: &Location, rules: &Staleness, to: &[Target]) {
        let edits = |target: &Target| {
            matches!(
                target, Target::File(file) if file.format == FileFormat::Dotenv { edit: true }
            )
        };
        let in_cluster = |target: &Target| matches!(target, Target::Secret(_));
        if rules.on_missing == OnFailure::Delete && to.iter().any(edits) {
            self.problem(
                at,
                "`onMissing: delete` cannot remove lines of a file that is edited",
                "write keep or unready, or give it a file of its own",
            );
        }
        if rules.accept_cached && to.iter().any(|target| edits(target) || in_cluster(target)) {
            self.problem(
                at,
                "`acceptCached` is for whole files",
                "remove it here, or give the other targets a delivery of their own",
            );
        }
    }
}
