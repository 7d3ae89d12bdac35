//! Which deliveries may have the same place, so that they are decided together: if they do, neither
//! is written.
//!
//! This runs before anything is read. Unknown parts count as the same, such as a namespace that a
//! target leaves out, or the variables that an editor of a file will have. A folder that does not
//! answer counts as different from all others: the second delivery for it is refused later.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::place;
use crate::base::observed::{FilePlace, Spot};
use crate::base::overlap::Unions;
use crate::config::{Delivery, SecretRef, Target};
use crate::disk::call_at;

/// How long all deliveries wait until a folder says where it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Numbers of deliveries, group by group; nearly always one per group.
pub async fn together(deliveries: &[Delivery]) -> Vec<Vec<usize>> {
    let mut unions = Unions::new(deliveries.len());
    if deliveries.len() > 1 {
        unite_places(&places(deliveries).await, &mut unions);
        unite_secrets(deliveries, &mut unions);
    }
    unions.groups()
}

/// Where the files and folders of all deliveries are.
async fn places(deliveries: &[Delivery]) -> Vec<(usize, FilePlace)> {
    let folders = folders(deliveries).await;
    let place = |target: &Target| {
        let folder = folders.get(folder(target)?)?.clone();
        match target {
            Target::File(file) => place::file_in(folder, &file.path),
            Target::Files(_) | Target::Secret(_) => Some(folder),
        }
    };
    let numbered = deliveries.iter().enumerate();
    let places = numbered.flat_map(|(number, delivery)| {
        let places = delivery.to.iter().filter_map(&place);
        places.map(move |place| (number, place))
    });
    places.collect()
}

/// The folder of a target on disk, or the target itself if it is a folder.
fn folder(target: &Target) -> Option<&Path> {
    match target {
        Target::File(file) => file.path.parent(),
        Target::Files(files) => Some(&files.dir),
        Target::Secret(_) => None,
    }
}

/// Where each folder is, each asked once; those that do not answer are left out.
async fn folders(deliveries: &[Delivery]) -> BTreeMap<&Path, FilePlace> {
    let targets = deliveries.iter().flat_map(|delivery| &delivery.to);
    let mut all: Vec<&Path> = targets.filter_map(folder).collect();
    all.sort_unstable();
    all.dedup();
    let end = Instant::now() + PATIENCE;
    let asked = all.into_iter().map(async |path| {
        let folder = path.to_owned();
        let found = call_at(path, end, move |_| place::folder(&folder)).await;
        Some((path, found.ok()??))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

fn unite_places(places: &[(usize, FilePlace)], unions: &mut Unions) {
    let mut owners: HashMap<Spot, usize> = HashMap::new();
    for (number, place) in places {
        if let Some(spot) = place.spot() {
            unions.unite(*number, *owners.entry(spot).or_insert(*number));
        }
    }
    for (number, place) in places {
        let above = place.above().filter_map(|spot| owners.get(&spot));
        above.for_each(|owner| unions.unite(*number, *owner));
    }
}

fn unite_secrets(deliveries: &[Delivery], unions: &mut Unions) {
    let mut named: BTreeMap<&str, Vec<(usize, &SecretRef)>> = BTreeMap::new();
    for (number, delivery) in deliveries.iter().enumerate() {
        for target in &delivery.to {
            match target {
                Target::Secret(secret) => {
                    let alike = named.entry(&secret.at.name).or_default();
                    alike.push((number, &secret.at));
                }
                Target::File(_) | Target::Files(_) => {}
            }
        }
    }
    for alike in named.values() {
        // A target without a namespace may be in any of them.
        let somewhere = alike.iter().any(|(_, at)| at.namespace.is_none());
        let mut owners: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for (number, at) in alike {
            let namespace = at.namespace.as_deref().filter(|_| !somewhere);
            unions.unite(*number, *owners.entry(namespace).or_insert(*number));
        }
    }
}
