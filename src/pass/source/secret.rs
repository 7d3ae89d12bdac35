//! A Kubernetes Secret of any type as a source. RBAC decides who may use it: the configuration's
//! account needs `get` on it by name.

use crate::base::failure::Failure;
use crate::base::material::{Material, Node};
use crate::config::{self, SecretRef};
use crate::kubernetes::{Error, ObjectKind, Subject};
use crate::pass::world::World;

/// Reads one Secret; its keys are the fields, its values stay bytes even if they are not text.
pub async fn fetch(at: &SecretRef, world: &World) -> Result<Material, Failure> {
    let cluster = world.kubernetes().await?;
    let at = config::resolve(at, &cluster.namespace);
    let Some(stored) = cluster.secret(&at).await.map_err(Error::of_reading)? else {
        return Err(Error::Absent(Subject {
            kind: ObjectKind::Secret,
            at,
        })
        .into());
    };
    let version = stored.version().to_owned();
    let fields = stored.into_data().into_iter();
    let fields = fields
        .map(|(key, value)| (key, Node::Text(value)))
        .collect();
    Ok(Material {
        version: Some(version),
        ..Material::unversioned(Node::Map(fields))
    })
}
