//! Which deliveries may meet in one place, so that they are decided together: neither is written if they do.
//!
//! Asked before anything is read. What it cannot tell, such as the namespace that a target leaves out or the variables that an
//! editor of a file will have, counts as the same. A folder that does not answer meets no other: who comes second is refused.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::place;
use crate::config::{Delivery, SecretRef, Target};
use crate::disk::call_at;
use crate::observed::Place;

/// How long all deliveries wait for the folder of one to say where it is.
const PATIENCE: Duration = Duration::from_secs(1);

enum Spot<'a> {
    Disk(Place),
    Secret(&'a SecretRef),
}

/// Numbers of deliveries, group by group; alone, nearly always.
pub async fn together(deliveries: &[Delivery]) -> Vec<Vec<usize>> {
    if deliveries.len() < 2 {
        return (0..deliveries.len()).map(|number| vec![number]).collect();
    }
    let folders = folders(deliveries).await;
    let spots = deliveries.iter().map(|delivery| spots(delivery, &folders));
    let spots: Vec<Vec<Spot<'_>>> = spots.collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (number, mine) in spots.iter().enumerate() {
        let meets = |group: &Vec<usize>| group.iter().any(|other| meet(&spots[*other], mine));
        let (met, mut apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(meets);
        let mut group: Vec<usize> = met.into_iter().flatten().collect();
        group.push(number);
        apart.push(group);
        groups = apart;
    }
    groups
}

/// The folder that a target on disk lies in or is.
fn folder(target: &Target) -> Option<&Path> {
    match target {
        Target::File(file) => file.path.parent(),
        Target::Files(files) => Some(&files.dir),
        Target::Secret(_) => None,
    }
}

/// Where each folder is, asked once; those that do not answer are left out.
async fn folders(deliveries: &[Delivery]) -> BTreeMap<&Path, Place> {
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

fn spots<'d>(delivery: &'d Delivery, folders: &BTreeMap<&Path, Place>) -> Vec<Spot<'d>> {
    let spot = |target: &'d Target| {
        let place = || folders.get(folder(target)?).cloned();
        match target {
            Target::File(file) => {
                let mut place = place()?;
                place.rest.push(file.path.file_name()?.to_owned());
                Some(Spot::Disk(place))
            }
            Target::Files(_) => place().map(Spot::Disk),
            Target::Secret(secret) => Some(Spot::Secret(&secret.at)),
        }
    };
    delivery.to.iter().filter_map(spot).collect()
}

fn meet(some: &[Spot<'_>], others: &[Spot<'_>]) -> bool {
    let same = |one: &Spot<'_>, other: &Spot<'_>| match (one, other) {
        (Spot::Disk(one), Spot::Disk(other)) => one.is_within(other) || other.is_within(one),
        (Spot::Secret(one), Spot::Secret(other)) => {
            let spaces = one.namespace.as_ref().zip(other.namespace.as_ref());
            one.name == other.name && spaces.is_none_or(|(one, other)| one == other)
        }
        (Spot::Disk(_), Spot::Secret(_)) | (Spot::Secret(_), Spot::Disk(_)) => false,
    };
    some.iter()
        .any(|one| others.iter().any(|other| same(one, other)))
}
