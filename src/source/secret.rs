//! A Kubernetes Secret as a source.

use crate::config::SecretRef;
use crate::material::Material;
use crate::report::Failure;
use crate::world::World;

/// Reads one Secret; its keys are the fields.
pub async fn fetch(_at: &SecretRef, _world: &World) -> Result<Material, Failure> {
    todo!("kubernetes helper")
}
