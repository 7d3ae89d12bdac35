//! The data of all sources in one pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::failure::Failure;
use crate::base::material::{Material, Node};
use crate::config::Source;

/// The data of all sources of a configuration.
#[derive(Debug, Default)]
pub struct Fetched {
    materials: BTreeMap<Source, Result<Arc<Material>, Failure>>,
}

impl Fetched {
    /// The data of one source, all of it verified.
    pub fn get(&self, source: &Source) -> Result<&Material, Failure> {
        let material = self.get_in_part(source)?;
        material.unverified.check(&[])?;
        Ok(material)
    }

    /// The data of one source, for a caller that checks each part for
    /// [`crate::base::material::Unverified`].
    pub fn get_in_part(&self, source: &Source) -> Result<&Material, Failure> {
        self.materials
            .get(source)
            .expect("fetch_all reads every source of the configuration")
            .as_deref()
            .map_err(Failure::clone)
    }

    /// The size of all values in bytes.
    pub fn weight(&self) -> usize {
        let materials = self.materials.values().flatten();
        let nodes = materials.flat_map(|material| &material.documents);
        nodes.map(Node::weight).sum()
    }

    /// One entry per distinct source.
    pub fn from_parts(
        materials: impl IntoIterator<Item = (Source, Result<impl Into<Arc<Material>>, Failure>)>,
    ) -> Self {
        Self {
            materials: materials
                .into_iter()
                .map(|(source, material)| (source, material.map(Into::into)))
                .collect(),
        }
    }
}
