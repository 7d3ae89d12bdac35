//! `name=value` for `java.util.Properties`: ASCII only, all other characters as `\uXXXX`.

use crate::base::material::SecretBytes;
use crate::base::wiped::WipedBytes;

use crate::format::json::write::escape;
use crate::render::field::{FieldError, Fields};

/// One line per field.
pub(super) fn render(fields: &Fields<'_>) -> Result<SecretBytes, FieldError> {
    let mut out = WipedBytes::default();
    for field in fields.some()? {
        let Ok(value) = std::str::from_utf8(fields.leaf(field)?) else {
            return Err(FieldError::NotText(field.whence()));
        };
        write(&field.name, Part::Key, &mut out);
        out.text("=");
        write(value, Part::Value, &mut out);
        out.text("\n");
    }
    Ok(SecretBytes::from(out))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Key,
    Value,
}

/// In a key every blank and separator is escaped; in a value only the first blank, which readers
/// would skip.
fn write(text: &str, part: Part, out: &mut WipedBytes) {
    for (index, character) in text.chars().enumerate() {
        match character {
            '\n' => out.text("\\n"),
            '\r' => out.text("\\r"),
            '\t' => out.text("\\t"),
            '\\' => out.text("\\\\"),
            ' ' if part == Part::Key || index == 0 => out.text("\\ "),
            '=' | ':' if part == Part::Key => {
                out.text("\\");
                out.char(character);
            }
            '#' | '!' if part == Part::Key && index == 0 => {
                out.text("\\");
                out.char(character);
            }
            ' '..='~' => out.char(character),
            other => escape(other, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_escaped_as_java_reads_them() {
        for (text, key, value) in [
            ("plain", "plain", "plain"),
            (" a b", "\\ a\\ b", "\\ a b"),
            ("a=b:c", "a\\=b\\:c", "a=b:c"),
            ("#x!", "\\#x!", "#x!"),
            ("!x", "\\!x", "!x"),
            ("a\\b\nc\rd\te", "a\\\\b\\nc\\rd\\te", "a\\\\b\\nc\\rd\\te"),
            ("é", "\\u00e9", "\\u00e9"),
            ("𝄞", "\\ud834\\udd1e", "\\ud834\\udd1e"),
            ("\u{c}\u{7f}", "\\u000c\\u007f", "\\u000c\\u007f"),
        ] {
            for (part, expected) in [(Part::Key, key), (Part::Value, value)] {
                let mut out = WipedBytes::default();
                write(text, part, &mut out);
                assert_eq!(*out, *expected.as_bytes(), "{text:?}");
            }
        }
    }
}
