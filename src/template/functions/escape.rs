//! The ways in which Go writes texts: `%q`, JSON, HTML, URL.

use crate::base::coding::percent;
use crate::template::Problem;
use crate::template::value::Buffer;

/// Go's `strconv.Quote`.
pub(super) fn quoted(text: &str, into: &mut Buffer) -> Result<(), Problem> {
    into.push(b"\"")?;
    for c in text.chars() {
        if let Some(short) = short(c) {
            into.push(short)?;
            continue;
        }
        match c {
            '\u{07}' => into.push(b"\\a")?,
            '\u{0b}' => into.push(b"\\v")?,
            c if is_printable(c) => into.char(c)?,
            c if c < ' ' || c == '\u{7f}' => {
                into.push(format!("\\x{:02x}", u32::from(c)).as_bytes())?
            }
            c if c <= '\u{ffff}' => into.push(format!("\\u{:04x}", u32::from(c)).as_bytes())?,
            c => into.push(format!("\\U{:08x}", u32::from(c)).as_bytes())?,
        }
    }
    into.push(b"\"")
}

/// Characters that both Go and JSON write as a backslash and one letter.
fn short(c: char) -> Option<&'static [u8]> {
    Some(match c {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\u{08}' => b"\\b",
        '\u{0c}' => b"\\f",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        _ => return None,
    })
}

/// Rust and Go treat the same categories as printable; after another character Rust, like Go,
/// leaves combining marks unchanged.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().eq(pair.chars())
}

/// A JSON text in Go's form; `html` also escapes characters that could end a script.
pub(super) fn json(text: &str, html: bool, into: &mut Buffer) -> Result<(), Problem> {
    into.push(b"\"")?;
    for c in text.chars() {
        if let Some(short) = short(c) {
            into.push(short)?;
            continue;
        }
        match c {
            '<' | '>' | '&' if html => escaped(c, into)?,
            '\u{2028}' | '\u{2029}' => escaped(c, into)?,
            c if c < ' ' => escaped(c, into)?,
            c => into.char(c)?,
        }
    }
    into.push(b"\"")
}

fn escaped(c: char, into: &mut Buffer) -> Result<(), Problem> {
    into.push(format!("\\u{:04x}", u32::from(c)).as_bytes())
}

/// Go's `template.HTMLEscapeString`.
pub(super) fn html(text: &[u8], into: &mut Buffer) -> Result<(), Problem> {
    for byte in text {
        match byte {
            0 => into.push("\u{fffd}".as_bytes())?,
            b'"' => into.push(b"&#34;")?,
            b'\'' => into.push(b"&#39;")?,
            b'&' => into.push(b"&amp;")?,
            b'<' => into.push(b"&lt;")?,
            b'>' => into.push(b"&gt;")?,
            other => into.push(&[*other])?,
        }
    }
    Ok(())
}

/// Percent-encoding. `space` is the text for a space: `+` in Go's `url.QueryEscape`.
pub(super) fn percent(text: &[u8], space: &[u8], into: &mut Buffer) -> Result<(), Problem> {
    text.iter()
        .try_for_each(|byte| match percent::escaped(*byte) {
            _ if *byte == b' ' => into.push(space),
            (signs, length) => into.push(&signs[..length]),
        })
}
