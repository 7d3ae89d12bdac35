//! `NAME=value` lines that `sh`, docker compose and `node --env-file` read as the same bytes. Any
//! other value is refused.
//!
//! Each of the three has its own quoting; only this much is common to them (the real readers
//! are asked in `tests/it/render/readers.rs`):
//! - bare: letters, digits and a few signs, nothing else;
//! - `'…'`: everything but `'` and a carriage return (node drops it), and not `\` at the end:
//!   after an odd number of them compose reads the closing quote as an escaped one, node 20.12
//!   after any number;
//! - `"…"`: everything but `"`, `\`, `$`, `` ` `` and a carriage return, because the readers
//!   escape these differently.
//!
//! The oldest node that reads all of this is 20.12: before it no value could have several lines.
//!
//! So a value with `'` and one of `"`, `\`, `$`, `` ` `` has no common spelling.

use thiserror::Error;

use crate::base::artifact::EnvLine;
use crate::base::failure::{Class, Fault};
use crate::base::material::SecretBytes;
use crate::base::printable;
use crate::base::wiped::WipedBytes;

use crate::render::RENAME;
use crate::render::names::is_variable;

/// One line for one variable.
pub(super) fn line(name: &str, value: &[u8]) -> Result<EnvLine, DotenvError> {
    if !is_variable(name) {
        return Err(DotenvError::Name(name.to_owned()));
    }
    let refuse = |problem| DotenvError::Value {
        name: name.to_owned(),
        problem,
    };
    let text = std::str::from_utf8(value).map_err(|_| refuse(ValueProblem::NotText))?;
    let quote = spelling(text).map_err(refuse)?;
    let parts = [name, "=", quote, text, quote];
    let mut line = WipedBytes::with_capacity(parts.map(str::len).iter().sum());
    for part in parts {
        line.text(part);
    }
    Ok(EnvLine {
        name: name.to_owned(),
        value: SecretBytes::from(value),
        line: SecretBytes::from(line),
    })
}

/// A whole file of lines.
pub(super) fn body(lines: &[EnvLine]) -> SecretBytes {
    let mut out = WipedBytes::with_capacity(lines.iter().map(|line| line.line.len() + 1).sum());
    for line in lines {
        out.write(line.line.expose());
        out.text("\n");
    }
    SecretBytes::from(out)
}

/// The quotes that all three read in the same way; empty if the value needs none.
fn spelling(value: &str) -> Result<&'static str, ValueProblem> {
    if value.contains('\0') {
        return Err(ValueProblem::Nul);
    }
    if value.contains('\r') {
        return Err(ValueProblem::CarriageReturn);
    }
    if !value.is_empty() && value.bytes().all(is_bare) {
        return Ok("");
    }
    if value.ends_with('\\') {
        return Err(ValueProblem::Backslash);
    }
    if !value.contains('\'') {
        return Ok("'");
    }
    if value.contains(['"', '\\', '$', '`']) {
        return Err(ValueProblem::Quotes);
    }
    Ok("\"")
}

/// Whether the character has no special meaning for any of the readers, at any position.
pub(super) fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:@%+,-=".contains(&byte)
}

/// Why a field gives no line.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum DotenvError {
    #[error("field {} is no name of a variable", printable::quoted(.0))]
    Name(String),
    #[error("field {}: {problem}", printable::quoted(name))]
    Value { name: String, problem: ValueProblem },
}

/// Values that cannot be written for all readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum ValueProblem {
    #[error("the value is not UTF-8 text")]
    NotText,
    #[error("the value holds a NUL byte, which no environment can carry")]
    Nul,
    #[error("the value holds a carriage return, which `node --env-file` drops")]
    CarriageReturn,
    #[error(
        "the value ends in `\\`, which docker compose and node take for an escape of the closing \
         quote"
    )]
    Backslash,
    #[error(
        "the value holds `'` together with one of `\"` `\\` `$` `` ` ``, which sh, docker compose \
         and node read differently"
    )]
    Quotes,
}

impl Fault for DotenvError {
    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name(_) => RENAME.to_owned(),
            Self::Value { .. } => {
                "deliver it with `format: json` or `files`, or change it: a new password, or \
                 base64 in a computed field"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_spelling_is_chosen_or_the_value_refused() {
        use ValueProblem::{Backslash, CarriageReturn, Nul, Quotes};
        for (value, expected) in [
            ("plain-1.2_3/4:5@6%7+8,9=", Ok("X=plain-1.2_3/4:5@6%7+8,9=")),
            ("", Ok("X=''")),
            ("a b", Ok("X='a b'")),
            ("a#b", Ok("X='a#b'")),
            ("~root", Ok("X='~root'")),
            ("$HOME", Ok("X='$HOME'")),
            ("\"`\\n", Ok("X='\"`\\n'")),
            ("two\nlines", Ok("X='two\nlines'")),
            ("é", Ok("X='é'")),
            ("it's", Ok("X=\"it's\"")),
            ("it's # 1\n", Ok("X=\"it's # 1\n\"")),
            ("it's $5", Err(Quotes)),
            ("'\"", Err(Quotes)),
            ("'\\", Err(Backslash)),
            ("'\\x", Err(Quotes)),
            ("'`", Err(Quotes)),
            ("C:\\", Err(Backslash)),
            ("C:\\\\", Err(Backslash)),
            ("a\r\nb", Err(CarriageReturn)),
            ("a\0", Err(Nul)),
        ] {
            let line = line("X", value.as_bytes()).map(|line| line.line);
            let expected = expected
                .map(SecretBytes::from)
                .map_err(|problem| DotenvError::Value {
                    name: "X".to_owned(),
                    problem,
                });
            assert!(line == expected, "{value:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_variable_is_refused() {
        for name in ["", "1A", "a-b", "tls.crt", "é", "A B"] {
            assert!(line(name, b"x").is_err(), "{name}");
        }
    }
}
