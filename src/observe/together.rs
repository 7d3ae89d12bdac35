//! Which deliveries may meet in one place, so that they are decided together: neither is written if they do.
//!
//! Asked before anything is read. What it cannot tell, such as the namespace that a target leaves out or the variables that an
//! editor of a file will have, counts as the same.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::place;
use crate::config::{Delivery, SecretRef, Target};
use crate::observed::{Place, Spot};
use crate::overlap::Unions;

/// Numbers of deliveries, group by group; alone, nearly always.
pub fn together(deliveries: &[Delivery]) -> Vec<Vec<usize>> {
    let mut unions = Unions::of(deliveries.len());
    unite_places(&places(deliveries), &mut unions);
    unite_secrets(deliveries, &mut unions);
    unions.groups()
}

/// Where the files and folders of all deliveries are. What holds many of them is looked at once.
fn places(deliveries: &[Delivery]) -> Vec<(usize, Place)> {
    let mut folders: HashMap<PathBuf, Option<Place>> = HashMap::new();
    let mut folder = |path: &Path| match folders.get(path) {
        Some(known) => known.clone(),
        None => {
            let found = place::folder(path);
            folders.insert(path.to_owned(), found.clone());
            found
        }
    };
    let mut places = Vec::new();
    for (number, delivery) in deliveries.iter().enumerate() {
        let found = delivery.to.iter().filter_map(|target| match target {
            Target::File(file) => place::file_in(folder(file.path.parent()?)?, &file.path),
            Target::Files(files) => folder(&files.dir),
            Target::Secret(_) => None,
        });
        places.extend(found.map(|place| (number, place)));
    }
    places
}

fn unite_places(places: &[(usize, Place)], unions: &mut Unions) {
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
        // One that leaves its namespace out may be any of them.
        let somewhere = alike.iter().any(|(_, at)| at.namespace.is_none());
        let mut owners: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for (number, at) in alike {
            let namespace = at.namespace.as_deref().filter(|_| !somewhere);
            unions.unite(*number, *owners.entry(namespace).or_insert(*number));
        }
    }
}
