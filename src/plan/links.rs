//! A ServiceAccount pulls with a Secret only once that Secret is there as wanted: the one step that
//! follows another.

use super::{Action, Step};
use crate::base::artifact::Artifact;
use crate::base::failure::Failure;

/// Which step must end well before this one begins.
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

/// Why a link is not made, from why its Secret was not.
pub fn unlinked(step: &Step, needed: &Step, why: &Failure) -> Failure {
    let (link, secret) = (&step.artifact, &needed.artifact);
    let what = format!("{link} is not linked, because {secret} was not delivered");
    Failure::new(why.class, what)
}

/// What links to a refused Secret is refused with it.
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
