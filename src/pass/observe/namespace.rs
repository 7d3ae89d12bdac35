//! The existing namespaces: names and labels, for copies that go to all matching namespaces.

use crate::base::failure::Failure;
use crate::copy_rules::metadata::NamespaceMetadata;
use crate::kubernetes::ObjectKind;
use crate::kubernetes::list::Pages;
use crate::pass::world::World;

/// Lists all namespaces.
pub async fn list(world: &World) -> Result<Vec<NamespaceMetadata>, Failure> {
    let cluster = world.kubernetes().await?;
    let mut pages = Pages::from_first(ObjectKind::Namespace, None, None);
    let mut all = Vec::new();
    while let Some(page) = pages.next(cluster).await? {
        all.extend(page);
    }
    Ok(all)
}
