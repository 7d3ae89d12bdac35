//! An age file as a source.

use std::path::Path;

use crate::config::{DocumentFormat, Keys};
use crate::material::Material;
use crate::report::Failure;
use crate::world::World;

/// Reads and opens one age file.
pub async fn fetch(
    _file: &Path,
    _format: DocumentFormat,
    _keys: &Keys,
    _world: &World,
) -> Result<Material, Failure> {
    todo!("envelope helper")
}
