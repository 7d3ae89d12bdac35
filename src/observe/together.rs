//! Which deliveries may meet in one place, so that they are decided together: neither is written if they do.
//!
//! Asked before anything is read. What it cannot tell, such as the namespace that a target leaves out or the variables that an
//! editor of a file will have, counts as the same.

use super::place;
use crate::config::{Delivery, SecretRef, Target};
use crate::observed::Place;

enum Spot<'a> {
    Disk(Place),
    Secret(&'a SecretRef),
}

/// Numbers of deliveries, group by group; alone, nearly always.
pub fn together(deliveries: &[Delivery]) -> Vec<Vec<usize>> {
    let spots: Vec<Vec<Spot<'_>>> = deliveries.iter().map(spots).collect();
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

fn spots(delivery: &Delivery) -> Vec<Spot<'_>> {
    delivery.to.iter().filter_map(spot).collect()
}

fn spot(target: &Target) -> Option<Spot<'_>> {
    match target {
        Target::File(file) => place::file(&file.path).map(Spot::Disk),
        Target::Files(files) => place::folder(&files.dir).map(Spot::Disk),
        Target::Secret(secret) => Some(Spot::Secret(&secret.at)),
    }
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
