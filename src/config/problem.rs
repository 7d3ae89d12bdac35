//! Problems of a configuration: file, line and column, the line itself, and the next move.

pub(super) mod find_all;
pub(super) mod flaw;
pub(super) mod malformed;
mod unfit;

use std::collections::BTreeMap;
use std::fmt;

use super::Location;
use super::mask::{self, Masked};
use crate::base::failure::{Class, Failure};
use crate::base::printable;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub at: Location,
    /// What is wrong, lower case, no period.
    pub what: String,
    /// The next move.
    pub hint: Option<String>,
    /// Almost always `Configuration`; `Refused` where a safety rule forbids what was meant.
    pub class: Class,
}

/// All problems, with the text of the files for the excerpts. A configuration should hold no
/// secret, but people paste secrets into it: every part that is shown goes through [`mask`].
#[derive(Debug)]
pub struct Problems {
    /// In the order they were found.
    pub list: Vec<Problem>,
    /// File name to text.
    pub texts: BTreeMap<String, String>,
}

impl Problems {
    /// The first problem of the worst class.
    pub fn failure(&self) -> Failure {
        let invalid = || Failure::new(Class::Configuration, "the configuration is not valid");
        let worst = self.list.iter().min_by_key(|problem| problem.class);
        worst.map_or_else(invalid, Problem::failure)
    }

    /// All problems as failures, in the order of the files.
    pub fn failures(&self) -> Vec<Failure> {
        let mut sorted: Vec<&Problem> = self.list.iter().collect();
        sorted.sort_by_key(|problem| (&problem.at.file, problem.at.line, problem.at.column));
        sorted.into_iter().map(Problem::failure).collect()
    }
}

impl Problem {
    /// A mistake in the configuration.
    pub fn new(at: Location, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            at,
            what: what.into(),
            hint: Some(hint.into()),
            class: Class::Configuration,
        }
    }

    /// The problem as a failure whose text begins with the place.
    pub fn failure(&self) -> Failure {
        let what = format!("{}: {}", self.at, mask::message(&self.what));
        Failure {
            hint: self.hint.as_deref().map(mask::message),
            ..Failure::new(self.class, what)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.failures().into_iter().map(|one| one.what).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The line of a place, masked, and where the place is in that line.
#[derive(Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, cut around the place where it is long.
    pub line: String,
    /// Characters before the place.
    pub before: usize,
    /// Characters of the place.
    pub length: usize,
}

/// The excerpt for a place, in at most this many columns.
pub fn excerpt(text: &str, at: &Location, columns: usize) -> Option<Excerpt> {
    let masked = Masked::new(text);
    let span = masked.span(span(text, at)?);
    let shown = &masked.text;
    let start = shown[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let end = shown[span.start..].find('\n');
    let end = end.map_or(shown.len(), |end| span.start + end);
    // A tab is shown, and takes one column as any other character.
    let plain = |text: &str| -> Vec<char> {
        let text = text.replace('\t', "→");
        printable::line(&text).chars().collect()
    };
    let line = plain(shown[start..end].trim_end());
    let before = plain(&shown[start..span.start]).len();
    let length = plain(&shown[span.start..span.end.clamp(span.start, end)]).len();
    Some(cut(&line, before, length.max(1), columns))
}

/// The part of a line around a place; `…` stands for what is left out.
fn cut(line: &[char], before: usize, length: usize, columns: usize) -> Excerpt {
    if line.len() <= columns {
        let line = line.iter().collect();
        return Excerpt {
            line,
            before,
            length,
        };
    }
    let length = length.min(columns / 2);
    let latest = line.len() - columns;
    let from = before.saturating_sub((columns - length) / 2).min(latest);
    let mut part = line[from..from + columns].to_vec();
    if from > 0 {
        part[0] = '…';
    }
    if from < latest {
        part[columns - 1] = '…';
    }
    Excerpt {
        line: part.into_iter().collect(),
        before: before - from,
        length,
    }
}

/// The byte range of the word at a location.
pub(super) fn span(text: &str, at: &Location) -> Option<std::ops::Range<usize>> {
    let line_index = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let line = text.split_inclusive('\n').nth(line_index)?;
    let start_of_line: usize = text
        .split_inclusive('\n')
        .take(line_index)
        .map(str::len)
        .sum();
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let offset: usize = line.chars().take(column).map(char::len_utf8).sum();
    let word = line.get(offset..)?.trim_end();
    let length = word
        .find([':', ',', '}', ']', ' '])
        .filter(|&length| length > 0)
        .unwrap_or(word.len());
    let start = start_of_line + offset;
    Some(start..(start + length.max(1)).min(text.len()))
}

/// The word of `known` that was probably meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1 + candidate.len().max(word.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words, case ignored.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = corner + usize::from(from != to);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant_is_found() {
        for (word, meant) in [
            ("frm", Some("from")),
            ("deliverys", Some("deliveries")),
            ("allowempty", Some("allowEmpty")),
            ("zzz", None),
        ] {
            assert_eq!(
                nearest(word, ["from", "to", "deliveries", "allowEmpty"]),
                meant,
                "{word}"
            );
        }
    }

    #[test]
    fn a_place_is_shown_in_its_line() {
        let text = "deliveries:\n  - name: a\n    frm: []\n\tto: []\n";
        let shown = |line, column, columns| {
            let at = Location {
                file: "k.yaml".into(),
                line,
                column,
            };
            let excerpt = excerpt(text, &at, columns)?;
            Some((excerpt.line, excerpt.before, excerpt.length))
        };
        let of = |line: &str, before, length| Some((line.to_owned(), before, length));
        assert_eq!(shown(3, 5, 80), of("    frm: []", 4, 3));
        assert_eq!(shown(4, 1, 80), of("→to: []", 0, 3));
        assert_eq!(shown(9, 1, 80), None);
        // Cut at its end, around the place, at its beginning.
        assert_eq!(shown(3, 5, 8), of("… frm: …", 2, 3));
        assert_eq!(shown(3, 9, 6), of("…m: []", 3, 3));
        let long = format!("{}here{}", "a ".repeat(50), " b".repeat(50));
        let long: Vec<char> = long.chars().collect();
        let part = cut(&long, 100, 4, 20);
        assert_eq!(part.line, "… a a a here b b b …");
        assert_eq!((part.before, part.length), (8, 4));
    }
}
