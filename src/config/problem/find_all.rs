//! Finds all flaws of a file in one run. Each flaw is replaced by what was probably meant, or by a
//! hole that fits any type, and the file is read again.

use serde::Deserialize;

use super::flaw::{Flaw, Kind, Shape};
use crate::config::RawConfig;
use crate::config::read::Reader;
use crate::config::reference::explain;
use crate::config::tree::{Entry, Place, What, Written};

/// Most flaws of one file that are reported.
const MOST: usize = 20;

/// The parts of a document that could be read.
pub(in crate::config) struct Mended {
    /// The configuration, with holes filled by any value; `None` where there were too many flaws.
    pub(in crate::config) raw: Option<RawConfig>,
    /// What is wrong.
    pub(in crate::config) flaws: Vec<Flaw>,
    /// Places around the holes, where other problems may only follow from a flaw.
    pub(in crate::config) around: Vec<Place>,
    /// Whether a hole is a key at the top: a part that seems to be missing may stand there.
    pub(in crate::config) top: bool,
}

/// Reads a document that has some flaws already.
pub(in crate::config) fn read(mut written: Written, flaws: Vec<Flaw>) -> Mended {
    let mut mended = Mended {
        raw: None,
        flaws,
        around: Vec::new(),
        top: false,
    };
    let mut seen: Vec<Place> = Vec::new();
    let mut unknown: Vec<(Place, String)> = Vec::new();
    while mended.flaws.len() < MOST {
        let flaw = match RawConfig::deserialize(Reader(&written)) {
            Ok(raw) => {
                mended.raw = Some(raw);
                break;
            }
            Err(flaw) => flaw,
        };
        let at = flaw.at.unwrap_or(written.at);
        // A value that was mended by a guess and still does not fit is no second flaw.
        let again = seen.contains(&at) && !matches!(flaw.kind, Kind::Key(_) | Kind::Missing(_));
        let way = way(&written, at, flaw.kind);
        match mend(&mut written, &flaw, at, again) {
            Repair::Nothing => {
                mended.flaws.push(flaw);
                break;
            }
            Repair::Meant => {}
            Repair::Hole => {
                let below = usize::from(matches!(flaw.kind, Kind::Missing(_)));
                mended.top |= way.keys.len() + below < 2;
                mended.around.extend(&way.around);
            }
        }
        seen.push(at);
        if let (Kind::Key(_), [_, parent, ..]) = (flaw.kind, way.around.as_slice()) {
            unknown.push((*parent, flaw.hint.clone()));
        }
        if !again && !is_under_another_name(&flaw, at, &unknown) {
            mended.flaws.push(with_reference(flaw, &way));
        }
    }
    mended
}

/// Whether the missing key probably stands there under an unknown name.
fn is_under_another_name(flaw: &Flaw, at: Place, unknown: &[(Place, String)]) -> bool {
    let Kind::Missing(key) = flaw.kind else {
        return false;
    };
    let names = [format!("`{key}`"), format!("`{key}:`")];
    let meant = |hint: &String| {
        hint.starts_with("known here") || names.iter().any(|name| hint.contains(name))
    };
    unknown
        .iter()
        .any(|(mapping, hint)| *mapping == at && meant(hint))
}

/// How a flaw was mended.
enum Repair {
    /// What was probably meant replaced the flaw.
    Meant,
    /// A hole replaced the flaw.
    Hole,
    /// The flaw was not mended.
    Nothing,
}

/// Mends a flaw everywhere: an alias brings the same node to several places.
fn mend(written: &mut Written, flaw: &Flaw, at: Place, again: bool) -> Repair {
    let mut done = Repair::Nothing;
    visit(written, &mut |node| {
        let one = match flaw.kind {
            Kind::Key(meant) => rename(node, at, meant),
            Kind::Missing(key) => add(node, at, key),
            Kind::Word(_) | Kind::Shape(_) | Kind::Other if node.at != at => Repair::Nothing,
            Kind::Word(Some(meant)) if !again => replace(node, meant),
            Kind::Shape(Shape::Truth) if !again => truth(node),
            Kind::Shape(Shape::List) if !again => wrap(node),
            Kind::Word(_) | Kind::Shape(_) | Kind::Other => hole(node),
        };
        let mended = !matches!(one, Repair::Nothing);
        if mended {
            done = one;
        }
        mended
    });
    done
}

/// Calls `act` on each node, from the outermost, but not on nodes inside a node for which `act`
/// returned true.
fn visit(node: &mut Written, act: &mut dyn FnMut(&mut Written) -> bool) {
    if act(node) {
        return;
    }
    match &mut node.what {
        What::Scalar { .. } | What::Hole => {}
        What::List(items) => items.iter_mut().for_each(|item| visit(item, act)),
        What::Map(entries) => {
            let values = entries.iter_mut().map(|entry| &mut entry.value);
            values.for_each(|value| visit(value, act));
        }
    }
}

/// Renames the key at a place to `meant`, or removes it where nothing was meant.
fn rename(node: &mut Written, at: Place, meant: Option<&'static str>) -> Repair {
    let What::Map(entries) = &mut node.what else {
        return Repair::Nothing;
    };
    let Some(found) = entries.iter().position(|entry| entry.at == at) else {
        return Repair::Nothing;
    };
    let free = |meant: &&str| !entries.iter().any(|entry| entry.key == **meant);
    match meant.filter(free) {
        Some(meant) => {
            meant.clone_into(&mut entries[found].key);
            Repair::Meant
        }
        None => {
            entries.remove(found);
            Repair::Hole
        }
    }
}

/// Adds a key that is missing.
fn add(node: &mut Written, at: Place, key: &str) -> Repair {
    match &mut node.what {
        What::Map(entries) if node.at == at && !entries.iter().any(|entry| entry.key == key) => {
            entries.push(Entry {
                key: key.to_owned(),
                at,
                value: Written {
                    at,
                    what: What::Hole,
                },
            });
            Repair::Hole
        }
        What::Map(_) | What::Scalar { .. } | What::List(_) | What::Hole => Repair::Nothing,
    }
}

fn hole(node: &mut Written) -> Repair {
    if matches!(node.what, What::Hole) {
        return Repair::Nothing;
    }
    node.what = What::Hole;
    Repair::Hole
}

fn replace(node: &mut Written, word: &str) -> Repair {
    node.what = What::Scalar {
        text: word.to_owned(),
        plain: true,
    };
    Repair::Meant
}

/// Mends a truth value that stands in quotes, or that only other readers of YAML know (`yes`).
fn truth(node: &mut Written) -> Repair {
    let text = match &node.what {
        What::Scalar { text, .. } => text.to_lowercase(),
        What::List(_) | What::Map(_) | What::Hole => return hole(node),
    };
    match text.as_str() {
        "true" | "yes" | "on" | "y" => replace(node, "true"),
        "false" | "no" | "off" | "n" => replace(node, "false"),
        _ => hole(node),
    }
}

/// Makes a single value a list of one item.
fn wrap(node: &mut Written) -> Repair {
    if matches!(node.what, What::List(_) | What::Hole) || node.is_null() {
        return hole(node);
    }
    let only = node.clone();
    node.what = What::List(vec![only]);
    Repair::Meant
}

/// The way from the top to a place.
#[derive(Default)]
struct Way {
    /// The keys that lead there.
    keys: Vec<String>,
    /// The place, and the mappings around it up to the entry of the list in which it stands.
    around: Vec<Place>,
    in_list: bool,
}

fn way(written: &Written, at: Place, kind: Kind) -> Way {
    let is_key = matches!(kind, Kind::Key(_));
    find(written, at, is_key).unwrap_or_default()
}

/// A mapping and its first key may have the same place; `is_key` tells which is meant.
fn find(node: &Written, at: Place, is_key: bool) -> Option<Way> {
    let here = || Way {
        around: vec![at],
        ..Way::default()
    };
    if node.at == at && !is_key {
        return Some(here());
    }
    match &node.what {
        What::Scalar { .. } | What::Hole => None,
        What::List(items) => {
            let found = items.iter().find_map(|item| find(item, at, is_key))?;
            Some(Way {
                in_list: true,
                ..found
            })
        }
        What::Map(entries) => entries.iter().find_map(|entry| {
            let mut found = match is_key && entry.at == at {
                true => here(),
                false => find(&entry.value, at, is_key)?,
            };
            found.keys.insert(0, entry.key.clone());
            if !found.in_list {
                found.around.push(node.at);
            }
            Some(found)
        }),
    }
}

/// Adds to the hint the command that explains what can stand at the place.
fn with_reference(mut flaw: Flaw, way: &Way) -> Flaw {
    if matches!(
        flaw.kind,
        Kind::Shape(Shape::List | Shape::Other) | Kind::Other
    ) {
        let mut keys = way.keys.as_slice();
        while explain(&keys.join(".")).is_err() {
            keys = keys.split_last().map_or(&[], |(_, before)| before);
        }
        let path = keys.join(".");
        let command = format!("keyferry explain {path}");
        let command = format!("`{}` says what can stand here", command.trim_end());
        flaw.hint = match flaw.hint.as_str() {
            "" => command,
            hint => format!("{hint}; {command}"),
        };
    }
    flaw
}
