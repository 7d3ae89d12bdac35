//! U+2028 and U+2029 as in Go's YAML: they end a line, as in YAML 1.1, so the indentation of the
//! next line is no part of the text.
//!
//! SOPS writes such a character unchanged and indents the text behind it, in single quotes and in
//! literal blocks. In YAML 1.2 and for our parser it is a character like others.

use std::borrow::Cow;

use granit_parser::ScalarStyle;

use super::scalar::Scalar;

const ENDS_LINE: [char; 2] = ['\u{2028}', '\u{2029}'];

/// Whether a file may hold one of them: their first byte is rare.
pub(super) fn may_separate(text: &str) -> bool {
    text.as_bytes().contains(&0xe2)
}

/// The scalar's text as Go reads it.
pub(super) fn text(scalar: Scalar<'_>) -> Cow<'_, str> {
    match scalar.source {
        Some(source) if source.contains(ENDS_LINE) => {
            Cow::Owned(dedented(&scalar.text, scalar.style, source))
        }
        Some(_) | None => scalar.text,
    }
}

fn dedented(text: &str, style: ScalarStyle, source: &str) -> String {
    match style {
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => folded(text),
        ScalarStyle::Literal | ScalarStyle::Folded => block(text, indent(text, source)),
    }
}

/// Blanks around such a line end are layout, and are removed.
fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = false;
    for character in text.chars() {
        if ENDS_LINE.contains(&character) {
            out.truncate(out.trim_end_matches([' ', '\t']).len());
            at_start = true;
        } else if at_start && matches!(character, ' ' | '\t') {
            continue;
        } else {
            at_start = false;
        }
        out.push(character);
    }
    out
}

/// Removes as many spaces behind such a line end as the block is indented by.
fn block(text: &str, indent: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut left = 0;
    for character in text.chars() {
        if ENDS_LINE.contains(&character) {
            left = indent;
        } else if left > 0 && character == ' ' {
            left -= 1;
            continue;
        } else {
            left = 0;
        }
        out.push(character);
    }
    out
}

/// The indentation of the first line of a block that is not empty.
fn indent(text: &str, source: &str) -> usize {
    let Some(first) = text.lines().find(|line| !line.is_empty()) else {
        return 0;
    };
    let mut written = source.lines().filter_map(|line| line.strip_suffix(first));
    let blank = |before: &&str| before.bytes().all(|byte| byte == b' ');
    written.find(blank).map_or(0, str::len)
}
