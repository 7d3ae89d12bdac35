//! What is wrong with a configuration: file, line and column, the line itself, and the next move.

use std::collections::BTreeMap;
use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Location;
use super::mask::{self, Masked};
use crate::base::failure::{Class, Failure};
use crate::base::plain;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Location,
    /// What, lower case, no period.
    pub what: String,
    /// The next move.
    pub hint: Option<String>,
    /// Almost always usage; refused where a safety rule forbids what was meant.
    pub class: Class,
}

/// All that is wrong, with the text of the files for the snippets. A configuration should hold no
/// secret, and somebody pastes one all the same: what is shown of it goes through [`mask`].
#[derive(Debug)]
pub struct Problems {
    /// In the order they were found.
    pub list: Vec<Problem>,
    /// File name to text.
    pub texts: BTreeMap<String, String>,
}

impl Problems {
    /// The class of the whole: the lowest of all.
    pub fn class(&self) -> Class {
        let classes = self.list.iter().map(|problem| problem.class);
        classes.min().unwrap_or(Class::Configuration)
    }

    /// The first of those that decide the class.
    fn worst(&self) -> Option<&Problem> {
        self.list.iter().min_by_key(|problem| problem.class)
    }

    /// The worst problem, for the last line of a run and the termination log.
    pub fn failure(&self) -> Failure {
        match self.worst() {
            None => Failure::new(Class::Configuration, "the configuration is not valid"),
            Some(problem) => problem.failure(),
        }
    }

    /// The others, in the order of the files.
    pub fn others(&self) -> Vec<&Problem> {
        let worst = self.worst();
        let mut others: Vec<&Problem> = self
            .list
            .iter()
            .filter(|problem| !worst.is_some_and(|worst| std::ptr::eq(worst, *problem)))
            .collect();
        others.sort_by(|a, b| (&a.at.file, a.at.line).cmp(&(&b.at.file, b.at.line)));
        others
    }

    /// What a terminal shows before the last line: every other problem with its line, and the lines
    /// of the worst.
    pub fn blocks(&self) -> String {
        let text = |problem: &Problem| self.texts.get(&problem.at.file);
        let mut out = String::new();
        for problem in self.others() {
            out.push_str(&render(problem, text(problem)));
            out.push('\n');
        }
        if let Some(worst) = self.worst() {
            out.push_str(&excerpt(&render(worst, text(worst))));
        }
        out
    }
}

impl Problem {
    /// The same as one failure, place first.
    pub fn failure(&self) -> Failure {
        let what = format!("{}: {}", self.at, mask::message(&self.what));
        Failure {
            hint: self.hint.as_deref().map(mask::message),
            ..Failure::new(self.class, what)
        }
    }
}

/// The lines of a file in what was rendered, without title and hint.
fn excerpt(rendered: &str) -> String {
    let rows = rendered.lines().skip(1);
    let rows: Vec<&str> = rows
        .take_while(|row| !row.trim_start().starts_with("= help"))
        .filter(|row| row.trim() != "|")
        .collect();
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.blocks())?;
        f.write_str(&self.failure().what)
    }
}

fn render(problem: &Problem, text: Option<&String>) -> String {
    let title = format!("{}: {}", problem.at, mask::message(&problem.what));
    let title = plain::line(&title);
    let masked = text.map(|text| (Masked::new(text), span(text, &problem.at)));
    let hint = problem.hint.as_deref().map(mask::message);
    let mut group = Level::ERROR.primary_title(title.as_ref()).elements(
        masked
            .as_ref()
            .and_then(|(masked, span)| Some((masked, masked.span(span.clone()?))))
            .map(|(masked, span)| {
                Snippet::source(masked.text.as_str())
                    .fold(true)
                    .annotation(AnnotationKind::Primary.span(span))
            }),
    );
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(plain::line(hint)));
    }
    let rendered = Renderer::plain().render(&[group]);
    // The lines of the file, whatever is in them.
    plain::lines(&rendered).into_owned() + "\n"
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

/// The one of `known` that was probably meant.
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
    fn a_problem_shows_its_line_and_the_next_move() {
        let text = "deliveries:\n  - name: a\n    frm: []\n".to_owned();
        let problems = Problems {
            list: vec![Problem {
                at: Location {
                    file: "k.yaml".into(),
                    line: 3,
                    column: 5,
                },
                what: "unknown key `frm`".into(),
                hint: Some("did you mean `from`?".into()),
                class: Class::Configuration,
            }],
            texts: [("k.yaml".to_owned(), text)].into(),
        };
        let shown = problems.to_string();
        assert_eq!(
            shown,
            "3 |     frm: []\n  |     ^^^\nk.yaml:3:5: unknown key `frm`"
        );
        let failure = problems.failure();
        assert_eq!(failure.hint.as_deref(), Some("did you mean `from`?"));
    }
}
