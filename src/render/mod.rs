//! Renders the data of the sources to the exact content of the targets. Pure: no file, no clock, no
//! network, no environment.
//!
//! ```text
//! Material ──select──► fields ──merge──► Fields ──┬─ dotenv · properties · template · raw ─► file
//!    └── whole documents, where nothing was asked ┼─ json · yaml ─────────────────────────► file
//!                                                 └─ docker · tls · names ────────────────► Secret
//! ```
//!
//! Invariants: a delivery is rendered whole or not at all, and one that fails leaves the others
//! alone; nothing here puts a value into an error; every buffer that held one is wiped.

mod delivery_fields;
mod docker;
pub mod fetched;
mod field;
pub mod formats;
mod inputs;
mod manifests;
mod merge_error;
mod names;
mod place;
pub mod provenance;
mod secret;
mod select;
mod template_check;
#[cfg(test)]
pub(crate) mod testing;
mod tls;

use jiff::Timestamp;
use thiserror::Error;

use crate::base::artifact::{Artifact, Desired, Wanted};
use crate::base::failure::{Class, Failure, Fault};
use crate::base::material::SecretBytes;
use crate::base::printable;
use crate::config::{Config, Delivery, Target};
use crate::render::fetched::Fetched;

use inputs::Inputs;
pub use manifests::wanted as described;
pub use template_check::check_templates;

/// The wanted state, delivery by delivery, then manifest by manifest; a delivery with a failed
/// input fails as a whole. `own_namespace` is the namespace of the pod or of the kubeconfig's
/// context, or the reason why it is unknown.
pub fn desired(
    config: &Config,
    fetched: &Fetched,
    own_namespace: &Result<String, Failure>,
    now: Timestamp,
) -> Desired {
    let mut deliveries = delivered(config, fetched, own_namespace, now);
    deliveries.extend(described(config, fetched, own_namespace, now));
    Desired { deliveries }
}

/// The part of the wanted state that deliveries make.
pub fn delivered(
    config: &Config,
    fetched: &Fetched,
    own_namespace: &Result<String, Failure>,
    now: Timestamp,
) -> Vec<Wanted> {
    let deliveries = config.deliveries.iter();
    deliveries
        .map(|delivery| wanted(config, delivery, fetched, own_namespace, now))
        .collect()
}

/// The wanted state of one delivery.
pub fn wanted(
    config: &Config,
    delivery: &Delivery,
    fetched: &Fetched,
    own_namespace: &Result<String, Failure>,
    now: Timestamp,
) -> Wanted {
    Wanted {
        delivery: delivery.name.clone(),
        artifacts: artifacts(config, delivery, fetched, own_namespace, now),
    }
}

/// All fields of a delivery as variables of a process, in order.
pub fn environment(
    delivery: &Delivery,
    fetched: &Fetched,
) -> Result<Vec<(String, SecretBytes)>, Failure> {
    let fields = delivery_fields::fields(delivery, fetched)?;
    let mut variables = Vec::new();
    for (name, value) in fields.leaves()? {
        if !names::is_variable(name) {
            return Err(EnvironmentError::Name(name.to_owned()).into());
        }
        if value.contains(&0) {
            return Err(EnvironmentError::Nul(name.to_owned()).into());
        }
        variables.push((name.to_owned(), SecretBytes::from(value)));
    }
    Ok(variables)
}

fn artifacts(
    config: &Config,
    delivery: &Delivery,
    fetched: &Fetched,
    own_namespace: &Result<String, Failure>,
    now: Timestamp,
) -> Result<Vec<Artifact>, Failure> {
    let inputs = Inputs::new(delivery, fetched);
    if !delivery.require.is_empty() {
        inputs.fields()?;
    }
    let mut artifacts = Vec::new();
    for target in &delivery.to {
        let made = match target {
            Target::File(file) => formats::file(file, &inputs).map(|file| vec![file]),
            Target::Files(set) => formats::set(set, &inputs).map(|set| vec![set]),
            Target::Secret(secret) => inputs.fields().and_then(|fields| {
                let provenance = provenance::of_delivery(config, delivery, fetched)?;
                secret::artifacts(secret, fields, provenance, own_namespace, now)
            }),
        };
        artifacts.extend(made.map_err(|failure| inputs.blame(target, failure))?);
    }
    Ok(artifacts)
}

/// What to do about a name that a target does not take.
const RENAME: &str = "give it another name with `rename`, or leave it out with `pick`";

/// Why fields cannot become variables of a process.
#[derive(Debug, PartialEq, Eq, Error)]
enum EnvironmentError {
    #[error("field {} is no name of a variable", printable::quoted(.0))]
    Name(String),
    #[error("field {} holds a NUL byte, which no environment can carry", printable::quoted(.0))]
    Nul(String),
}

impl Fault for EnvironmentError {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name(_) => RENAME.to_owned(),
            Self::Nul(_) => "deliver it with `files`".to_owned(),
        })
    }
}
