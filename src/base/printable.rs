//! Text from outside, shown: names, keys, paths, labels and messages, without characters that a
//! terminal, a log, a page or a reader's eye would obey.
//!
//! One line is shown with [`line()`], several with [`lines`], a cell of Markdown with [`code`].
//! Output for programs (JSON, metrics) is escaped by its own format instead.

use std::borrow::Cow;
use std::fmt::Write;

/// One line: nothing in it begins a new line, moves the cursor or turns the direction of the text.
/// Such characters are written as in JSON (`\n`, `\u202e`), so that a line of JSON stays one.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// Lines whose breaks are ours.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n')
}

/// A cell of a Markdown table, as code: there nothing is markup, a link or the name of a person.
/// Characters that would end the code or the cell are replaced.
pub fn code(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!("`{}`", line(text).replace('`', "'").replace('|', "\\u007c")),
    }
}

/// A line of our log. The log library escapes everything but breaks and directions. `coloured`
/// keeps the library's own colours.
pub fn of_log(text: &str, coloured: bool) -> Cow<'_, str> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    match escaped(body, |c| coloured && c == '\x1b') {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(shown) => Cow::Owned(shown + &text[body.len()..]),
    }
}

/// A name that comes from data: on one line whatever it holds, and never long.
pub fn name(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut text = String::new();
    for (count, character) in name.chars().enumerate() {
        match character {
            _ if count == LONGEST => {
                text.push('…');
                break;
            }
            '\'' | '"' => text.push(character),
            _ => text.extend(character.escape_debug()),
        }
    }
    text
}

/// The same between backticks.
pub fn quoted(text: &str) -> String {
    format!("`{}`", name(text))
}

/// Several names between backticks, separated by commas; of many, the first few.
pub fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MOST: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    let mut text: Vec<String> = names.iter().take(MOST).map(|name| quoted(name)).collect();
    if names.len() > MOST {
        text.push(format!("and {} more", names.len() - MOST));
    }
    text.join(", ")
}

fn escaped(text: &str, ours: impl Fn(char) -> bool) -> Cow<'_, str> {
    let obeyed = |c: char| is_obeyed(c) && !ours(c);
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !obeyed(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(out)
}

/// Control characters, other line breaks, marks of direction, and what cannot be seen.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}'
            | '\u{61c}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_136_nothing_in_a_name_is_obeyed() {
        for (text, shown) in [
            ("app", "app"),
            ("Größe_1 café 名", "Größe_1 café 名"),
            ("a\nERROR forged", "a\\nERROR forged"),
            ("a\r\tb", "a\\r\\tb"),
            ("\u{1b}[31mred", "\\u001b[31mred"),
            ("a\u{7f}\u{9b}b", "a\\u007f\\u009bb"),
            ("a\u{202e}gnp\u{2066}b", "a\\u202egnp\\u2066b"),
            ("a\u{2028}b\u{2029}c\u{85}", "a\\u2028b\\u2029c\\u0085"),
            (
                "\u{feff}a\u{200b}\u{e0041}",
                "\\ufeffa\\u200b\\udb40\\udc41",
            ),
        ] {
            assert_eq!(line(text), shown, "{text:?}");
        }
        assert_eq!(lines("a\nb\r\n"), "a\nb\\r\n");
    }

    #[test]
    fn row_136_in_markdown_a_name_is_code_and_nothing_else() {
        for (text, shown) in [
            ("", ""),
            ("DB_PASSWORD", "`DB_PASSWORD`"),
            ("a|b\\|c", "`a\\u007cb\\\\u007cc`"),
            ("`</code>**b** @team", "`'</code>**b** @team`"),
            ("a\n| forged |", "`a\\n\\u007c forged \\u007c`"),
        ] {
            assert_eq!(code(text), shown, "{text:?}");
        }
    }

    #[test]
    fn row_136_a_line_of_the_log_is_one_line_and_stays_json() {
        assert_eq!(of_log("a\nb\n", false), "a\\nb\n");
        assert_eq!(
            of_log("\u{1b}[32mINFO\u{1b}[0m a\n", true),
            "\u{1b}[32mINFO\u{1b}[0m a\n"
        );
        assert_eq!(of_log("\u{1b}[32mINFO", false), "\\u001b[32mINFO");
        let document = serde_json::json!({"name": "a\u{202e}b\n\u{e0041}"});
        let written = document.to_string() + "\n";
        let shown = of_log(&written, false);
        assert!(!shown.contains('\u{202e}'), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(read, document);
    }

    #[test]
    fn a_name_from_data_stays_on_one_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "`a\\nb\\u{1b}[31m`");
        assert_eq!(quoted(&"x".repeat(300)).chars().count(), 123);
        assert_eq!(names(["a", "b"]), "`a`, `b`");
    }
}
