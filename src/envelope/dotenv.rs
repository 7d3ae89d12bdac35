//! `.env` files as `docker compose` reads them, minus what would make the value depend on who reads it.
//!
//! Compose replaces `$NAME` in unquoted and double-quoted values by another variable; node and systemd do not. Such a
//! value is refused by its line, not guessed.

use zeroize::Zeroizing;

use crate::material::{Node, SecretBytes};

use super::syntax::{LineProblem, MOST_VALUES, SyntaxError};

/// The variables in their order.
pub(super) fn variables(text: &str) -> Result<Node, SyntaxError> {
    let mut reader = Reader {
        rest: text.trim_start_matches('\u{feff}'),
        line: 1,
    };
    let mut entries: Vec<(String, Node)> = Vec::new();
    let mut names = std::collections::HashSet::new();
    while let Some((name, value)) = reader.variable()? {
        if !names.insert(name.clone()) {
            return Err(reader.wrong(LineProblem::Duplicate));
        }
        if entries.len() >= MOST_VALUES {
            return Err(SyntaxError::TooMany);
        }
        entries.push((name, Node::Text(value)));
        reader.next_line();
    }
    Ok(Node::Map(entries))
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// The next variable; the reader stays behind it, on its last line.
    fn variable(&mut self) -> Result<Option<(String, SecretBytes)>, SyntaxError> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            match self.rest.as_bytes().first() {
                None => return Ok(None),
                Some(b'\n' | b'#') => self.next_line(),
                Some(_) => break,
            }
        }
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let Some(equals) = self.rest[..end].find('=') else {
            return Err(self.wrong(LineProblem::NoValue));
        };
        let name = self.rest[..equals].trim_end();
        let name = match name.strip_prefix("export") {
            Some(exported) if exported.starts_with([' ', '\t']) => exported.trim_start(),
            _ => name,
        };
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty()
            || !name.chars().all(legal)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(self.wrong(LineProblem::Name));
        }
        let name = name.to_owned();
        self.rest = self.rest[equals + 1..].trim_start_matches([' ', '\t']);
        let value = match self.rest.as_bytes().first() {
            Some(b'\'') => self.single_quoted()?,
            Some(b'"') => self.double_quoted()?,
            _ => self.bare()?,
        };
        Ok(Some((name, value)))
    }

    /// Everything up to the next single quote, over lines, as it stands.
    fn single_quoted(&mut self) -> Result<SecretBytes, SyntaxError> {
        let inner = &self.rest[1..];
        let end = inner
            .find('\'')
            .ok_or_else(|| self.wrong(LineProblem::Quote))?;
        let value = SecretBytes::from(&inner[..end]);
        self.line += inner[..end].matches('\n').count();
        self.rest = &inner[end + 1..];
        self.nothing_follows()?;
        Ok(value)
    }

    /// With `\n`, `\r`, `\t`, `\"`, `\\`, `\$`; another backslash stands for itself.
    fn double_quoted(&mut self) -> Result<SecretBytes, SyntaxError> {
        let inner = &self.rest[1..];
        let mut value = Zeroizing::new(Vec::with_capacity(inner.len().min(64 * 1024)));
        let mut bytes = inner.bytes().enumerate();
        let mut lines = 0;
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.line += lines;
                    self.rest = &inner[at + 1..];
                    self.nothing_follows()?;
                    return Ok(SecretBytes::from(value));
                }
                b'\\' => match bytes.next() {
                    Some((_, b'n')) => value.push(b'\n'),
                    Some((_, b'r')) => value.push(b'\r'),
                    Some((_, b't')) => value.push(b'\t'),
                    Some((_, escaped @ (b'"' | b'\\' | b'$'))) => value.push(escaped),
                    Some((_, other)) => value.extend_from_slice(&[b'\\', other]),
                    None => break,
                },
                b'$' if is_substitution(&inner[at + 1..]) => {
                    self.line += lines;
                    return Err(self.wrong(LineProblem::Substitution));
                }
                _ => {
                    lines += usize::from(byte == b'\n');
                    value.push(byte);
                }
            }
        }
        Err(self.wrong(LineProblem::Quote))
    }

    /// Up to the end of the line or a ` #`.
    fn bare(&mut self) -> Result<SecretBytes, SyntaxError> {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        let comment = line
            .match_indices('#')
            .map(|(at, _)| at)
            .find(|at| line[..*at].ends_with([' ', '\t']) || *at == 0);
        let value = line[..comment.unwrap_or(end)].trim_end();
        let substituted = value
            .match_indices('$')
            .any(|(at, _)| !value[..at].ends_with('\\') && is_substitution(&value[at + 1..]));
        if substituted {
            return Err(self.wrong(LineProblem::Substitution));
        }
        let value = Zeroizing::new(value.replace("\\$", "$"));
        self.rest = &self.rest[end..];
        Ok(SecretBytes::from(value.as_str()))
    }

    /// Only a comment may stand behind a closing quote.
    fn nothing_follows(&self) -> Result<(), SyntaxError> {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let tail = self.rest[..end].trim();
        match tail.is_empty() || tail.starts_with('#') {
            true => Ok(()),
            false => Err(self.wrong(LineProblem::AfterQuote)),
        }
    }

    fn next_line(&mut self) {
        match self.rest.split_once('\n') {
            Some((_, rest)) => {
                self.rest = rest;
                self.line += 1;
            }
            None => self.rest = "",
        }
    }

    fn wrong(&self, problem: LineProblem) -> SyntaxError {
        SyntaxError::Line {
            line: self.line,
            problem,
        }
    }
}

/// Whether compose would replace what follows a `$`.
fn is_substitution(after: &str) -> bool {
    after.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(' | '$'))
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
    fn variables_are_read_as_compose_reads_them() {
        check("", &[]);
        check(
            "A=1\r\n\n# c\n  export B = two words  # c\n",
            &[("A", "1"), ("B", "two words")],
        );
        check("A=x#y\nB=#c\nC=\n", &[("A", "x#y"), ("B", ""), ("C", "")]);
        check(
            "A='$x # \\n'\nB=\"a\\n\\\"b\\\\\\$c\\q\" # c\n",
            &[("A", "$x # \\n"), ("B", "a\n\"b\\$c\\q")],
        );
        check(
            "A='1\n2'\nB=\"3\n4\"\nC=5",
            &[("A", "1\n2"), ("B", "3\n4"), ("C", "5")],
        );
        check(
            "A=a=b==\nB=100$\nC=\\$x\n",
            &[("A", "a=b=="), ("B", "100$"), ("C", "$x")],
        );
        check("my.key-1=x", &[("my.key-1", "x")]);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        for (text, line, problem) in [
            ("A=1\nhunter2\n", 2, LineProblem::NoValue),
            ("A B=1\n", 1, LineProblem::Name),
            ("1A=1\n", 1, LineProblem::Name),
            ("=1\n", 1, LineProblem::Name),
            ("A=1\nB='1\n2'\nA=2\n", 4, LineProblem::Duplicate),
            ("A='x\n", 1, LineProblem::Quote),
            ("A=\"x\\\"\n", 1, LineProblem::Quote),
            ("A='x'y\n", 1, LineProblem::AfterQuote),
            ("A=1\nB=pa$word\n", 2, LineProblem::Substitution),
            ("B=\"\n${x}\"\n", 2, LineProblem::Substitution),
        ] {
            assert_eq!(
                variables(text),
                Err(SyntaxError::Line { line, problem }),
                "{text}"
            );
        }
    }
}
