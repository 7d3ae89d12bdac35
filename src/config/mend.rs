//! All flaws of a file at once: what is wrong is put right or taken out, and the rest is read
//! again.

use serde::Deserialize;

use super::raw::RawConfig;
use super::read::Reader;
use super::written::{Entry, Flaw, Kind, Place, What, Written};

/// So many flaws of one file are told; who has more mends these first.
const MOST: usize = 20;

/// Reads a document. What was read is given too where every flaw was a name of a key that was
/// meant to be another: it can be looked at for more.
pub(super) fn read(mut written: Written) -> (Option<RawConfig>, Vec<Flaw>) {
    let (mut flaws, mut taken_out) = (Vec::new(), Vec::new());
    while flaws.len() < MOST {
        let flaw = match RawConfig::deserialize(Reader(&written)) {
            Ok(raw) => return (Some(raw).filter(|_| taken_out.is_empty()), flaws),
            Err(flaw) => flaw,
        };
        // What is missing because we took it out is no flaw.
        let ours = flaw.kind == Kind::Missing && taken_out.iter().any(|at| flaw.at == Some(*at));
        let mended = flaw.at.is_some_and(|at| match flaw.kind {
            Kind::Key(meant) => rename(&mut written, at, meant, &mut taken_out),
            Kind::Missing | Kind::Shape | Kind::Other => take_out(&mut written, at, &mut taken_out),
        });
        if !ours {
            flaws.push(flaw);
        }
        if !mended {
            break;
        }
    }
    (None, flaws)
}

/// Gives the key at a place the name that was meant, or takes it out.
fn rename(
    written: &mut Written,
    at: Place,
    meant: Option<&'static str>,
    taken_out: &mut Vec<Place>,
) -> bool {
    let parent = written.at;
    match &mut written.what {
        What::Scalar { .. } => false,
        What::List(items) => items
            .iter_mut()
            .any(|item| rename(item, at, meant, taken_out)),
        What::Map(entries) => {
            let Some(found) = entries.iter().position(|entry| entry.at == at) else {
                return entries
                    .iter_mut()
                    .any(|entry| rename(&mut entry.value, at, meant, taken_out));
            };
            let free = |meant: &&str| !entries.iter().any(|entry| entry.key == **meant);
            match meant.filter(free) {
                Some(meant) if entries[found].key != meant => {
                    entries[found].key = meant.to_owned();
                }
                Some(_) | None => {
                    entries.remove(found);
                    taken_out.push(parent);
                }
            }
            true
        }
    }
}

/// Takes out the value at a place, with its key.
fn take_out(written: &mut Written, at: Place, taken_out: &mut Vec<Place>) -> bool {
    let parent = written.at;
    let found = match &mut written.what {
        What::Scalar { .. } => return false,
        What::List(items) => {
            let before = items.len();
            items.retain(|item| item.at != at);
            items.len() < before
        }
        What::Map(entries) => {
            let before = entries.len();
            entries.retain(|entry| entry.value.at != at);
            entries.len() < before
        }
    };
    if found {
        taken_out.push(parent);
        return true;
    }
    match &mut written.what {
        What::Scalar { .. } => false,
        What::List(items) => items.iter_mut().any(|item| take_out(item, at, taken_out)),
        What::Map(entries) => entries
            .iter_mut()
            .any(|Entry { value, .. }| take_out(value, at, taken_out)),
    }
}
