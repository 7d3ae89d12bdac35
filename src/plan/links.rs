//! A ServiceAccount can use a pull secret only after the Secret was written: the only step that
//! depends on another.

use super::action::Action;
use super::step::Step;
use crate::base::artifact::Artifact;
use crate::base::failure::Failure;

/// The step that must succeed before this step begins.
pub fn needed(steps: &[Step], step: &Step) -> Option<usize> {
    let Artifact::PullSecret(link) = &step.artifact else {
        return None;
    };
    if !step.action.is_change() {
        return None;
    }
    steps.iter().position(|other| match &other.artifact {
        Artifact::Secret(secret) => {
            secret.at.name == link.secret && secret.at.namespace == link.account.namespace
        }
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => false,
    })
}

/// Why a link is not made: the Secret was not delivered, for this reason.
pub fn unlinked(step: &Step, needed: &Step, why: &Failure) -> Failure {
    let (link, secret) = (&step.artifact, &needed.artifact);
    let what = format!("{link} is not linked, because {secret} was not delivered");
    Failure::new(why.class, what)
}

/// Refuses the links to a refused Secret.
pub(super) fn refuse(steps: &mut [Step]) {
    let refused = |step: &Step| {
        let needed = &steps[needed(steps, step)?];
        let why = needed.action.refusal()?;
        Some(Action::Refuse(unlinked(step, needed, why)))
    };
    let refused: Vec<Option<Action>> = steps.iter().map(refused).collect();
    for (step, refused) in steps.iter_mut().zip(refused) {
        if let Some(action) = refused {
            step.action = action;
        }
    }
}
