//! Errors as people read them: what is wrong, the line of the file, the next move.

use std::collections::BTreeMap;
use std::sync::Mutex;

use keyferry::base::line_fold::{COLUMNS, fold};
use keyferry::base::lock::locked;
use keyferry::base::printable;
use keyferry::base::style::{Style, Tone};
use keyferry::config::Location;
use keyferry::config::problem::excerpt;
use keyferry::pass::outcome::Failed;

/// The texts of the configuration: an error that names a place in them shows the line.
static TEXTS: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// Remembers the texts of the configuration, by the names of their files.
pub(super) fn remember(texts: BTreeMap<String, String>) {
    *locked(&TEXTS) = texts;
}

/// All failures, the worst last; mistakes of one class in the order of the files.
pub(super) fn all(failed: &Failed, style: Style) -> String {
    let worst = Failed {
        others: Vec::new(),
        ..failed.clone()
    };
    let is_one_class = |one: &Failed| one.failure.class == failed.failure.class;
    let mut blocks: Vec<String> = failed.others.iter().map(|one| block(one, style)).collect();
    let at = match failed.others.iter().all(is_one_class) {
        true => 0,
        false => blocks.len(),
    };
    blocks.insert(at, block(&worst, style));
    blocks.join("\n")
}

/// One line that says that something went wrong.
pub(super) fn error(what: &str, style: Style) -> String {
    labelled("error:", Tone::Bad, what, style)
}

fn block(failed: &Failed, style: Style) -> String {
    let what = failed.what();
    let mut text = error(&what, style);
    if let Some((file, at)) = place(&what) {
        text.push_str(&shown(&file, &at, style));
    }
    if let Some(hint) = &failed.failure.hint {
        text.push_str(&labelled("hint:", Tone::Next, hint, style));
    }
    text
}

/// The place in the configuration that a message is about: the place at its beginning, else the
/// last place that it names.
fn place(what: &str) -> Option<(String, Location)> {
    let texts = locked(&TEXTS);
    let mut places: Vec<(usize, &String, Location)> = Vec::new();
    for (file, text) in texts.iter() {
        let name = format!("{file}:");
        places.extend(what.match_indices(&name).filter_map(|(at, _)| {
            let mut numbers = what[at + name.len()..].split(|c: char| !c.is_ascii_digit());
            let location = Location {
                file: file.clone(),
                line: numbers.next()?.parse().ok()?,
                column: numbers.next()?.parse().ok()?,
            };
            Some((at, text, location))
        }));
    }
    places.sort_by_key(|(at, ..)| *at);
    let leads = |(at, _, location): &(usize, &String, Location)| {
        what[*at..].starts_with(&format!("{location}: "))
    };
    let meant = places.iter().find(|place| leads(place)).or(places.last());
    meant.map(|(_, text, location)| ((*text).clone(), location.clone()))
}

/// A line of a file, with marks below the place.
fn shown(text: &str, at: &Location, style: Style) -> String {
    let number = at.line.to_string();
    let gutter = number.len() + 3;
    let Some(part) = excerpt(text, at, COLUMNS - gutter) else {
        return String::new();
    };
    let bar = style.paint(Tone::Quiet, "|");
    let number = style.paint(Tone::Quiet, &number);
    let marks = style.paint(Tone::Bad, &"^".repeat(part.length));
    let (indent, before) = (" ".repeat(gutter - 2), " ".repeat(part.before));
    format!(
        "{number} {bar} {}\n{indent}{bar} {before}{marks}\n",
        part.line
    )
}

/// A label and a text, in lines of limited width. Only a word without a blank may make a line
/// wider.
fn labelled(label: &str, tone: Tone, text: &str, style: Style) -> String {
    let mut out = style.paint(tone, label) + " ";
    fold(&mut out, label.len() + 1, printable::line(text).split(' '));
    out.push('\n');
    out
}
