//! What all files declare together, and what only the whole can show.

use std::collections::BTreeMap;

use super::super::problem::{Problem, nearest};
use super::super::reflect;
use super::super::vault::DEFAULT_SERVER;
use super::super::{
    AgeKey, Config, Delivery, Keys, Location, Named, Reflector, SealedKey, VaultRead, VaultServer,
};
use super::{Parts, name, outputs};
use crate::base::failure::Class;

/// Merges what all files declare and checks what only the whole can show.
pub fn merge(parts: Parts, problems: &mut Vec<Problem>) -> Config {
    let Parts {
        broken: _,
        lost,
        names: called,
        vaults,
        broken_vaults,
        age,
        sealed,
        sidecar,
        recipients,
        deliveries,
        reflectors,
        mark_keys,
        manifests,
    } = parts;
    if let [(_, first), (_, second), ..] = sidecar.as_slice() {
        problems.push(twice("the section", "sidecar", first, second));
    }
    let mut servers: BTreeMap<String, VaultServer> = BTreeMap::new();
    for server in vaults {
        if let Some(first) = servers.get(&server.name) {
            // Files that each say all that they need are used together.
            if first.anywhere() == server.anywhere() {
                continue;
            }
            problems.push(twice("vault server", &server.name, &first.at, &server.at));
        }
        servers.insert(server.name.clone(), server);
    }
    let mut names: BTreeMap<&str, &Location> = BTreeMap::new();
    for delivery in &deliveries {
        if let Some(first) = names.insert(&delivery.name, &delivery.at) {
            problems.push(twice("delivery", &delivery.name, first, &delivery.at));
        }
    }
    for (server, at) in mentioned(&deliveries, &age, &sealed) {
        if !lost
            && !servers.contains_key(server)
            && !broken_vaults.iter().any(|name| name == server)
        {
            problems.push(unknown_server(server, at, &servers));
        }
    }
    let mut reflectors = reflectors.into_iter();
    let reflector = reflectors.next();
    if let (Some((_, first)), Some((_, second))) = (&reflector, reflectors.next()) {
        problems.push(Problem {
            at: second,
            what: "`reflector` is declared twice".to_owned(),
            hint: Some(format!("the first is at {first}; make one of them")),
            class: Class::Configuration,
        });
    }
    if let [(_, first), (_, second), ..] = mark_keys.as_slice() {
        problems.push(twice("the section", "markKey", first, second));
    }
    let mark_key = mark_keys.into_iter().next().map(|(at, _)| at);
    let unsigned = reflect::unsigned(&deliveries, mark_key.as_ref());
    problems.extend(unsigned.filter(|_| !lost));
    let mut sets: BTreeMap<&str, &Location> = BTreeMap::new();
    for set in &manifests {
        let Some(name) = &set.name else { continue };
        if let Some(first) = sets.insert(name, &set.at) {
            problems.push(twice("a set of manifests", name, first, &set.at));
        }
    }
    outputs::check(&deliveries, problems);
    let reflector_at = reflector.as_ref().map(|(_, at)| at);
    let needed = name::needed(&deliveries, &manifests, reflector_at);
    let name = name::merge(called, needed.filter(|_| !lost), problems);
    let reflector = reflector.map(|(reflector, _)| Reflector {
        mark_key: mark_key.clone().unwrap_or_else(reflect::usual_mark_key),
        ..reflector
    });
    Config {
        name,
        vaults: servers,
        keys: Keys {
            age: age.into_iter().map(named).collect(),
            sealed: sealed.into_iter().map(named).collect(),
            recipients,
        },
        sidecar: sidecar
            .into_iter()
            .next()
            .map(|(sidecar, _)| sidecar)
            .unwrap_or_default(),
        deliveries,
        reflector,
        mark_key,
        manifests,
    }
}

fn named<K>((key, at): (K, Location)) -> Named<K> {
    Named { key, at: Some(at) }
}

/// Every server that something reads from, and where that was written.
fn mentioned<'a>(
    deliveries: &'a [Delivery],
    age: &'a [(AgeKey, Location)],
    sealed: &'a [(SealedKey, Location)],
) -> impl Iterator<Item = (&'a str, &'a Location)> {
    let sources = deliveries.iter().flat_map(|delivery| &delivery.from);
    let sources = sources.filter_map(|from| Some((from.source.vault()?, &from.at)));
    let age = age.iter().filter_map(|(key, at)| match key {
        AgeKey::Vault { read, .. } => Some((read, at)),
        AgeKey::File { .. } | AgeKey::Ssh(_) | AgeKey::Passphrase(_) | AgeKey::Secret { .. } => {
            None
        }
    });
    let sealed = sealed.iter().filter_map(|(key, at)| match key {
        SealedKey::Vault { read, .. } => Some((read, at)),
        SealedKey::File(_) | SealedKey::Selector { .. } | SealedKey::Secret(_) => None,
    });
    let reads = sources.chain(age).chain(sealed);
    reads.map(|(read, at): (&VaultRead, &Location)| (read.server.as_str(), at))
}

fn unknown_server(server: &str, at: &Location, servers: &BTreeMap<String, VaultServer>) -> Problem {
    let (what, hint) = if server == DEFAULT_SERVER {
        (
            "this reads from Vault, but no `vault:` is configured".to_owned(),
            "add `vault: {address: …, auth: …}`, or name one of `vaults` with `server:`".to_owned(),
        )
    } else {
        let known = servers.keys().map(String::as_str);
        (
            format!("no vault server is called `{server}`"),
            nearest(server, known).map_or_else(
                || "name one of `vaults`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            ),
        )
    };
    Problem {
        at: at.clone(),
        what,
        hint: Some(hint),
        class: Class::Configuration,
    }
}

fn twice(kind: &str, name: &str, first: &Location, second: &Location) -> Problem {
    Problem {
        at: second.clone(),
        what: format!("{kind} `{name}` is declared twice"),
        hint: Some(format!("the first is at {first}; rename one")),
        class: Class::Configuration,
    }
}
