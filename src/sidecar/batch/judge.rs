//! The result of a pass, delivery by delivery.

use super::super::health::PassReport;
use super::Batch;
use crate::base::failure::Failure;
use crate::config::{Delivery, OnFailure, Target};
use crate::pass::apply::withdraw::{Withdrawal, withdraw};
use crate::pass::outcome::Failed;
use crate::pass::world::World;
use crate::plan::{Action, DeliveryPlan, OwedReaction};

impl Batch<'_> {
    /// The result of a pass for one delivery; removes the delivery if its source is gone and the
    /// configuration says so.
    pub(super) async fn judge(
        &self,
        delivery: &Delivery,
        plan: &DeliveryPlan,
        results: &[Result<(), Failure>],
        world: &World,
    ) -> PassReport {
        let mut told = self.pass_report(plan, results);
        if told.failures.is_empty() && told.waiting.is_none() {
            self.delivered(delivery);
        }
        told.lease_end = self.waits.first_end(&delivery.name);
        let gone = plan.steps.as_ref().is_err_and(|failure| failure.absent);
        let removes = gone && delivery.staleness.on_missing == OnFailure::Delete;
        if removes && self.holds(&delivery.name) {
            let opens = self.waits.opens(&delivery.name);
            told.waiting = opens.map(|opens| (delivery.to.len(), opens));
        } else if removes {
            self.withdraw(delivery, &mut told, world).await;
        }
        told
    }

    /// Removes a delivery, unless the brake holds it: then it stays unchanged.
    async fn withdraw(&self, delivery: &Delivery, told: &mut PassReport, world: &World) {
        let mut standing = Vec::new();
        for target in &delivery.to {
            match withdraw(target, self.group, world, Withdrawal::Look).await {
                Ok(true) => standing.push(target),
                Ok(false) => {}
                Err(failure) => told.failures.push(unremoved(delivery, target, failure)),
            }
        }
        if !standing.is_empty()
            && let Err(held) = self.health.may_remove(&delivery.name, world.allow_deletes)
        {
            told.failures
                .insert(0, Failed::in_delivery(&delivery.name, held));
            return;
        }
        told.withdrawn = true;
        for target in standing {
            match withdraw(target, self.group, world, Withdrawal::Remove).await {
                Ok(true) => {
                    tracing::warn!(
                        delivery = delivery.name, %target, "removed: its source is gone",
                    );
                    told.written += 1;
                }
                Ok(false) => {}
                Err(failure) => told.failures.push(unremoved(delivery, target, failure)),
            }
        }
    }

    /// The results of the steps of one plan, and the changes that wait for a window.
    pub(super) fn pass_report(
        &self,
        plan: &DeliveryPlan,
        results: &[Result<(), Failure>],
    ) -> PassReport {
        let steps = plan.steps.iter().flatten();
        let waiting = steps.filter(|step| step.action == Action::Wait).count();
        let opens = self.waits.opens(&plan.delivery).filter(|_| waiting > 0);
        PassReport {
            waiting: opens.map(|opens| (waiting, opens)),
            ..PassReport::from_results(plan, results)
        }
    }

    pub(super) fn all_owed(&self, delivery: &Delivery) -> Vec<OwedReaction> {
        let reactions = delivery.on_change.iter();
        reactions
            .map(|reaction| OwedReaction::to_all_targets(delivery, reaction))
            .collect()
    }
}

fn unremoved(delivery: &Delivery, target: &Target, failure: Failure) -> Failed {
    Failed {
        target: Some(target.to_string()),
        ..Failed::in_delivery(&delivery.name, failure)
    }
}

/// Whether something changed that somebody may be using.
pub(super) fn changed(plan: &DeliveryPlan, results: &[Result<(), Failure>]) -> bool {
    let mut steps = plan.steps.iter().flatten().zip(results);
    steps.any(|(step, result)| match step.action {
        Action::Update(_) | Action::Recreate(_) => result.is_ok(),
        Action::Keep | Action::Create | Action::Delete | Action::Refuse(_) | Action::Wait => false,
    })
}
