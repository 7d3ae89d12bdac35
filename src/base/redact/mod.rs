//! Forms of secrets, and texts of others made safe to show.

pub(crate) mod form;
mod known;
mod unknown;

pub(crate) use known::without_values;
pub(crate) use unknown::without_secrets;

/// One line of printable text.
fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = text.chars().map(printable).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a line: the rest says nothing more to a person.
fn cut(line: String) -> String {
    const LIMIT: usize = 300;
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
