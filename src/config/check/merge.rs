//! Merges what all files declare, and finds the problems that no single file shows.

use std::collections::BTreeMap;

use super::super::declared_copies;
use super::super::problem::{Problem, nearest};
use super::super::vault::DEFAULT_SERVER;
use super::super::{Config, Delivery, Keys, Location, Reflector, VaultServer};
use super::{Parts, name, outputs};

/// Merges what all files declare and adds the problems that no single file shows.
pub fn merge(parts: Parts, problems: &mut Vec<Problem>) -> Config {
    let Parts {
        broken: _,
        lost,
        names: called,
        vaults,
        broken_vaults,
        keys,
        sidecars,
        deliveries,
        reflectors,
        mark_keys,
        manifests,
    } = parts;
    let mut servers: BTreeMap<String, VaultServer> = BTreeMap::new();
    for server in vaults {
        if let Some(first) = servers.get(&server.name) {
            // Files may declare the same server, each in full, and are then used together.
            if first.is_also(&server) {
                continue;
            }
            let what = format!("vault server `{}`", server.name);
            let remedy = match server.name == DEFAULT_SERVER {
                true => {
                    "make both equal, or move one to `vaults: {NAME: …}` and say `server: NAME` in \
                     its sources"
                }
                false => "make both equal, or rename one and say its new name in `server:`",
            };
            problems.push(twice(&what, &first.at, &server.at, remedy));
        }
        servers.insert(server.name.clone(), server);
    }
    let named = deliveries.iter().map(|one| (one.name.as_str(), &one.at));
    distinct("delivery", named, problems);
    for (server, at) in mentioned(&deliveries, &keys) {
        if !lost
            && !servers.contains_key(server)
            && !broken_vaults.iter().any(|name| name == server)
        {
            problems.push(unknown_server(server, at, &servers));
        }
    }
    let reflector_at = reflectors.first().map(|(at, _)| at.clone());
    let reflector = once(reflectors, "`reflector`", "make one of them", problems);
    let mark_key = once(mark_keys, "the section `markKey`", KEEP_ONE, problems);
    let unsigned = declared_copies::unsigned(&deliveries, mark_key.as_ref());
    problems.extend(unsigned.filter(|_| !lost));
    let named = manifests
        .iter()
        .filter_map(|set| Some((set.name.as_deref()?, &set.at)));
    distinct("a set of manifests", named, problems);
    outputs::check(&deliveries, problems);
    let needed = name::needed(&deliveries, &manifests, reflector_at.as_ref());
    let name = name::merge(called, needed.filter(|_| !lost), problems);
    let reflector = reflector.map(|reflector| Reflector {
        mark_key: mark_key
            .clone()
            .unwrap_or_else(declared_copies::usual_mark_key),
        ..reflector
    });
    Config {
        name,
        vaults: servers,
        keys,
        sidecar: once(sidecars, "the section `sidecar`", KEEP_ONE, problems).unwrap_or_default(),
        deliveries,
        reflector,
        mark_key,
        manifests,
    }
}

/// Adds a problem for each name that two items of a kind share.
fn distinct<'a>(
    kind: &str,
    all: impl Iterator<Item = (&'a str, &'a Location)>,
    problems: &mut Vec<Problem>,
) {
    let mut seen = BTreeMap::new();
    for (name, at) in all {
        if let Some(first) = seen.insert(name, at) {
            problems.push(twice(&format!("{kind} `{name}`"), first, at, RENAME));
        }
    }
}

/// The declaration that may stand only once in all files; `None` where no file has it.
fn once<T>(
    all: Vec<(Location, T)>,
    what: &str,
    remedy: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    if let [(first, _), (second, _), ..] = all.as_slice() {
        problems.push(twice(what, first, second, remedy));
    }
    all.into_iter().next().map(|(_, only)| only)
}

/// Every server that something reads from, and where the read was written.
fn mentioned<'a>(
    deliveries: &'a [Delivery],
    keys: &'a Keys,
) -> impl Iterator<Item = (&'a str, &'a Location)> {
    let sources = deliveries.iter().flat_map(|delivery| &delivery.from);
    let sources = sources.filter_map(|from| Some((from.source.vault()?, &from.at)));
    let keys = keys.in_vault().filter_map(|(read, at)| Some((read, at?)));
    let reads = sources.chain(keys);
    reads.map(|(read, at)| (read.server.as_str(), at))
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
    Problem::new(at.clone(), what, hint)
}

/// Hint for two items with one name.
const RENAME: &str = "rename one";

/// Hint for two sections that have no name.
const KEEP_ONE: &str = "keep one of them";

fn twice(what: &str, first: &Location, second: &Location, remedy: &str) -> Problem {
    Problem::new(
        second.clone(),
        format!("{what} is declared twice"),
        format!("the first is at {first}; {remedy}"),
    )
}
