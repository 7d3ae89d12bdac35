//! The Secrets of a delivery and their sources, for `keyferry status`. Names and versions, never a
//! value.

use std::sync::Arc;

use super::status::SecretsStatus;
use crate::base::artifact::{Artifact, Provenance, SecretArtifact};
use crate::plan::DeliveryPlan;

/// How many Secrets are named: a delivery may have thousands of copies.
const NAMED: usize = 20;

/// The Secrets of a delivery, as its last plan had them.
#[derive(Debug, Clone)]
pub struct MadeSecrets {
    provenance: Arc<Provenance>,
    named: Vec<String>,
    count: usize,
}

impl MadeSecrets {
    /// The Secrets in a plan; nothing if it has none.
    pub fn in_plan(plan: &DeliveryPlan) -> Option<Self> {
        let steps = plan.steps.iter().flatten();
        let secrets = steps.filter_map(|step| match &step.artifact {
            Artifact::Secret(secret) => Some(secret),
            Artifact::File(_)
            | Artifact::FileSet(_)
            | Artifact::PullSecret(_)
            | Artifact::Leftover(_) => None,
        });
        let secrets: Vec<&SecretArtifact> = secrets.collect();
        let named = secrets.iter().take(NAMED);
        Some(Self {
            provenance: Arc::clone(&secrets.first()?.provenance),
            named: named.map(|secret| secret.at.to_string()).collect(),
            count: secrets.len(),
        })
    }

    /// The form for people.
    pub fn status(&self) -> SecretsStatus {
        let Provenance {
            configuration,
            delivery: _,
            sources,
        } = &*self.provenance;
        let text: Vec<String> = sources.iter().map(ToString::to_string).collect();
        SecretsStatus {
            count: self.count,
            names: self.named.clone(),
            configuration: configuration.to_string(),
            sources: sources.clone(),
            text: text.join("; "),
        }
    }
}
