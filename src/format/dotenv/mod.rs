//! `.env` files as `docker compose` reads them, without values that depend on who reads them.
//!
//! Compose replaces `$NAME` in bare and double-quoted values by another variable; node and systemd
//! do not, and the value of `${NAME}` depends on the machine. Such a value is refused by its line
//! and not guessed. A value is refused too if readers see its end or its comment at different
//! places.

pub mod statement;

use crate::base::wiped::WipedBytes;

use crate::base::material::{Node, SecretBytes};

use super::syntax::{LineProblem, MOST_VALUES, SyntaxError};
use statement::{Assignment, Raw, StatementKind, statements};

/// The variables in the order of the file.
pub(super) fn variables(text: &str) -> Result<Node, SyntaxError> {
    let mut entries: Vec<(String, Node)> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for statement in statements(text) {
        let line = statement.line;
        let wrong = |problem| SyntaxError::Line { line, problem };
        match statement.kind {
            StatementKind::Blank | StatementKind::Comment(_) => {}
            StatementKind::Broken(problem, _) => return Err(wrong(problem)),
            StatementKind::Assignment(assignment) => {
                let name = assignment.name;
                if name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(wrong(LineProblem::Name));
                }
                if !names.insert(name) {
                    return Err(wrong(LineProblem::Duplicate));
                }
                if entries.len() >= MOST_VALUES {
                    return Err(SyntaxError::TooMany);
                }
                let value = value(&assignment).map_err(wrong)?;
                entries.push((name.to_owned(), Node::Text(value)));
            }
        }
    }
    Ok(Node::Map(entries))
}

/// The value as compose reads it.
fn value(assignment: &Assignment<'_>) -> Result<SecretBytes, LineProblem> {
    match assignment.value {
        Raw::Single(inner) => Ok(SecretBytes::from(inner)),
        Raw::Double(inner) => double_quoted(inner),
        // Compose reads a value here, all others a comment.
        Raw::Bare(value) if value.starts_with('#') && !assignment.gaps.1.is_empty() => {
            Err(LineProblem::Comment)
        }
        Raw::Bare(value) => match first_substitution(value.as_bytes()) {
            Some(_) => Err(LineProblem::Substitution),
            None => Ok(SecretBytes::from(value)),
        },
    }
}

/// Resolves the escapes first, then `$`, as compose does: `\$` becomes `$$`, and `$$` becomes `$`.
fn double_quoted(inner: &str) -> Result<SecretBytes, LineProblem> {
    let mut unescaped = WipedBytes::with_capacity(inner.len());
    // The places of each `$$` that was written as `\$`.
    let mut escaped = Vec::new();
    let mut rest = inner.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'\\' {
            unescaped.byte(*first);
            continue;
        }
        let plain = match rest.first() {
            Some(b'a') => 0x07,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 0x0b,
            Some(sign @ (b'"' | b'\\')) => *sign,
            Some(b'$') => {
                escaped.push(unescaped.len());
                unescaped.byte(b'$');
                b'$'
            }
            // Octal numbers: those of compose are seldom what they look like.
            Some(b'0') => return Err(LineProblem::Octal),
            Some(_) | None => {
                unescaped.byte(b'\\');
                continue;
            }
        };
        unescaped.byte(plain);
        rest = &rest[1..];
    }
    without_dollars(&unescaped, &escaped)
}

/// Replaces each `$$` that was written as `\$` by one `$`.
fn without_dollars(text: &[u8], escaped: &[usize]) -> Result<SecretBytes, LineProblem> {
    let mut out = WipedBytes::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = first_substitution(&text[at..]) {
        // A place that is not in the list is no escape of ours, so a reader would replace it.
        if escaped.binary_search(&(at + found)).is_err() {
            return Err(LineProblem::Substitution);
        }
        out.write(&text[at..=at + found]);
        at += found + 2;
    }
    out.write(&text[at..]);
    Ok(SecretBytes::from(out))
}

/// The first `$` that compose, or a shell, would replace together with what follows it.
pub fn first_substitution(text: &[u8]) -> Option<usize> {
    let starts = |after: &[u8]| match after {
        [first, ..] if first.is_ascii_alphabetic() => true,
        [b'_' | b'{' | b'(' | b'$', ..] => true,
        // Compose looks for names without regard to case, and these two are an s and a k.
        [0xc5, 0xbf, ..] | [0xe2, 0x84, 0xaa, ..] => true,
        _ => false,
    };
    (0..text.len()).find(|&at| text[at] == b'$' && starts(&text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Node::text(*value)))
            .collect();
        assert_eq!(variables(text), Ok(Node::Map(expected)), "{text}");
    }

    #[test]
    fn row_125_variables_are_read_as_compose_reads_them() {
        check("", &[]);
        check(
            "A=1\r\n\n# c\n  export B = two words  # c\n",
            &[("A", "1"), ("B", "two words")],
        );
        check("A=x#y\nB=#c\nC=\n", &[("A", "x#y"), ("B", "#c"), ("C", "")]);
        check(
            "A=b\t#c\n\tB=1\nexport\tC=2\n",
            &[("A", "b\t#c"), ("B", "1"), ("C", "2")],
        );
        check(
            "A='$x # \\n'\nB=\"a\\n\\\"b\\\\\\$c\\q\" # c\n",
            &[("A", "$x # \\n"), ("B", "a\n\"b\\$c\\q")],
        );
        check(
            "A=\"\\a\\b\\f\\v\\t\\r\\c\\'\"\n",
            &[("A", "\x07\x08\x0c\x0b\t\r\\c\\'")],
        );
        check("A=\"\\$x\\$\\$y $1 \\$(z)\"", &[("A", "$x$$y $1 $(z)")]);
        check("A='a\\\\'\nB='a\\b'\n", &[("A", "a\\\\"), ("B", "a\\b")]);
        check(
            "A='1\n2'\nB=\"3\n4\"\nC=5",
            &[("A", "1\n2"), ("B", "3\n4"), ("C", "5")],
        );
        check(
            "A=a=b==\nB=100$\nC=pa\\$\nD=a\\b\n",
            &[("A", "a=b=="), ("B", "100$"), ("C", "pa\\$"), ("D", "a\\b")],
        );
        check("my.key-1=x", &[("my.key-1", "x")]);
        check("\u{feff}A=\u{a0}x\u{a0}\n", &[("A", "x")]);
    }

    #[test]
    fn row_125_a_bad_line_is_named_by_its_number() {
        for (text, line, problem) in [
            ("A=1\nhunter2\n", 2, LineProblem::NoValue),
            ("A B=1\n", 1, LineProblem::Name),
            ("1A=1\n", 1, LineProblem::Name),
            ("=1\n", 1, LineProblem::Name),
            ("export =1\n", 1, LineProblem::Name),
            ("A=1\nB='1\n2'\nA=2\n", 4, LineProblem::Duplicate),
            ("A='x\n", 1, LineProblem::Quote),
            ("A=\"x\\\"\n", 1, LineProblem::Quote),
            ("A='x'y\n", 1, LineProblem::AfterQuote),
            ("A='value\\'\nB='x'\n", 1, LineProblem::AfterQuote),
            ("A='value\\'\n", 1, LineProblem::Quote),
            ("A='it\\'s'\n", 1, LineProblem::Escaped),
            ("A=1\nB=pa$word\n", 2, LineProblem::Substitution),
            ("A=x\\$y\n", 1, LineProblem::Substitution),
            ("A=x$$\n", 1, LineProblem::Substitution),
            ("B=\"\n${x}\"\n", 1, LineProblem::Substitution),
            ("B=\"\\\\$x\"\n", 1, LineProblem::Substitution),
            ("B=\"$$x\"\n", 1, LineProblem::Substitution),
            ("B=\"$\\$x\"\n", 1, LineProblem::Substitution),
            ("B=\"a\\012\"\n", 1, LineProblem::Octal),
            ("B= # c\n", 1, LineProblem::Comment),
        ] {
            assert_eq!(
                variables(text),
                Err(SyntaxError::Line { line, problem }),
                "{text}"
            );
        }
    }
}
