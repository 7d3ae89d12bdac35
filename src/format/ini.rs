//! INI files as Go's `ini.v1` reads them, which SOPS uses: sections of `name = value`, all values
//! text.
//!
//! Its rules are many and odd (a `#` or `;` inside a value ends it, there are three kinds of
//! quotes, `\` joins lines). We keep them all, because a SOPS checksum covers the values that they
//! give. Where no checksum does, a value that would end at such a mark is refused instead: Python
//! and others read on, and a password must not lose its end.

use std::collections::HashSet;

use super::syntax::{LineProblem, MOST_VALUES, SyntaxError};

/// A section and its values, in order; several sections may have one name.
pub(crate) type Section = (String, Vec<(String, String)>);

/// What becomes of a value with a `#` or `;` in it, outside backticks and `"""`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InlineComments {
    /// It ends there, as in a SOPS file.
    Cut,
    /// It is an error.
    Refused,
}

/// All sections. Values before the first one are in `DEFAULT`.
pub(crate) fn sections(text: &str, inline: InlineComments) -> Result<Vec<Section>, SyntaxError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = Lines {
        rest: text,
        number: 0,
        inline,
    };
    let mut sections = vec![("DEFAULT".to_owned(), Vec::new())];
    let mut unnamed = 0;
    let mut names: HashSet<String> = HashSet::new();
    let mut count = 0;
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        count += 1;
        if count > MOST_VALUES {
            return Err(SyntaxError::TooMany);
        }
        if let Some(named) = line.strip_prefix('[') {
            let (name, _) = named
                .rsplit_once(']')
                .ok_or_else(|| lines.wrong(LineProblem::Section))?;
            sections.push((name.to_owned(), Vec::new()));
            unnamed = 0;
            names.clear();
            continue;
        }
        let (mut name, value) =
            split_name(line).ok_or_else(|| lines.wrong(LineProblem::NoValue))?;
        if name == "-" {
            unnamed += 1;
            name = format!("#{unnamed}");
        }
        if name.is_empty() {
            return Err(lines.wrong(LineProblem::Name));
        }
        let value = lines.value(value)?;
        if !names.insert(name.clone()) {
            return Err(lines.wrong(LineProblem::Duplicate));
        }
        if let Some((_, values)) = sections.last_mut() {
            values.push((name, value));
        }
    }
    if sections
        .first()
        .is_some_and(|(_, values)| values.is_empty())
    {
        sections.remove(0);
    }
    Ok(sections)
}

/// The name before the first `=` or `:`, which may be quoted.
fn split_name(line: &str) -> Option<(String, &str)> {
    let quote = match line.as_bytes() {
        [b'"', b'"', b'"', _, _, _, _, ..] => "\"\"\"",
        [b'"', ..] => "\"",
        [b'`', ..] => "`",
        _ => {
            let (name, value) = line.split_once(['=', ':'])?;
            return Some((name.trim().to_owned(), value));
        }
    };
    let (name, rest) = line[quote.len()..].split_once(quote)?;
    let (_, value) = rest.split_once(['=', ':'])?;
    Some((name.trim().to_owned(), value))
}

/// Lines with their ends, because quoted values run over several of them.
struct Lines<'a> {
    rest: &'a str,
    number: usize,
    inline: InlineComments,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    fn wrong(&self, problem: LineProblem) -> SyntaxError {
        SyntaxError::Line {
            line: self.number,
            problem,
        }
    }

    fn value(&mut self, text: &str) -> Result<String, SyntaxError> {
        let text = text.trim_start();
        let quote = match text.as_bytes() {
            [b'"', b'"', b'"', _, ..] => Some("\"\"\""),
            [b'`', ..] => Some("`"),
            _ => None,
        };
        if let Some(quote) = quote {
            let inner = &text[quote.len()..];
            return match inner.rfind(quote) {
                Some(end) => Ok(inner[..end].to_owned()),
                None => self.quoted_over_lines(inner, quote),
            };
        }
        let text = text.trim();
        if let Some(begun) = text.strip_suffix('\\') {
            return Ok(self.continued(begun));
        }
        let text = match (text.find(['#', ';']), self.inline) {
            (Some(_), InlineComments::Refused) => {
                return Err(self.wrong(LineProblem::InlineComment));
            }
            (Some(comment), InlineComments::Cut) => text[..comment].trim(),
            (None, _) => text,
        };
        Ok(unquoted(text).to_owned())
    }

    fn quoted_over_lines(&mut self, begun: &str, quote: &str) -> Result<String, SyntaxError> {
        let opened = self.number;
        let mut value = begun.to_owned();
        while let Some(line) = self.next() {
            match line.rfind(quote) {
                Some(end) if !line[end + quote.len()..].trim().ends_with('\\') => {
                    value.push_str(&line[..end]);
                    return Ok(value);
                }
                _ => value.push_str(line),
            }
        }
        Err(SyntaxError::Line {
            line: opened,
            problem: LineProblem::Quote,
        })
    }

    fn continued(&mut self, begun: &str) -> String {
        let mut value = begun.to_owned();
        while let Some(line) = self.next() {
            let line = line.trim();
            match line.strip_suffix('\\') {
                _ if line.is_empty() => break,
                Some(more) => value.push_str(more),
                None => {
                    value.push_str(line);
                    break;
                }
            }
        }
        value
    }
}

/// Removes a pair of quotes around the text, if the text has no other quotes of this kind.
fn unquoted(text: &str) -> &str {
    for quote in ['\'', '"'] {
        let inner = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner
            && !inner.contains(quote)
        {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Fault as _;

    fn check(text: &str, expected: &[(&str, &[(&str, &str)])]) {
        let seen = sections(text, InlineComments::Cut).unwrap();
        let seen: Vec<(&str, Vec<(&str, &str)>)> = seen
            .iter()
            .map(|(name, values)| {
                let values = values.iter().map(|(k, v)| (k.as_str(), v.as_str()));
                (name.as_str(), values.collect())
            })
            .collect();
        let expected: Vec<(&str, Vec<(&str, &str)>)> = expected
            .iter()
            .map(|(name, values)| (*name, values.to_vec()))
            .collect();
        assert_eq!(seen, expected, "{text}");
    }

    #[test]
    fn sections_and_values_are_read_as_ini_v1_does() {
        check("", &[]);
        check(
            "a = 1\n[s]\nb: 2\r\n",
            &[("DEFAULT", &[("a", "1")]), ("s", &[("b", "2")])],
        );
        check(
            "[s]\n; c\n# d\np = p@ss;word#1\n",
            &[("s", &[("p", "p@ss")])],
        );
        check(
            "[s]\na = 'x y'\nb = \"x\"\nc = 'a'b'\nd = `x;y`\n",
            &[(
                "s",
                &[("a", "x y"), ("b", "x"), ("c", "'a'b'"), ("d", "x;y")],
            )],
        );
        check(
            "[s]\nm = \"\"\"one\ntwo\n\"\"\"\nn = 1\n",
            &[("s", &[("m", "one\ntwo\n"), ("n", "1")])],
        );
        check(
            "[s]\nl = a \\\n b \\\n c\nn = 1\n",
            &[("s", &[("l", "a b c"), ("n", "1")])],
        );
        check(
            "[s]\n- = x\n- = y\n`k=1` = z\n",
            &[("s", &[("#1", "x"), ("#2", "y"), ("k=1", "z")])],
        );
        check(
            "[a]\nx = 1\n[a]\nx = 2\n",
            &[("a", &[("x", "1")]), ("a", &[("x", "2")])],
        );
        check("[a]\nempty =\n", &[("a", &[("empty", "")])]);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        for (text, line, problem) in [
            ("[s]\nhunter2\n", 2, LineProblem::NoValue),
            ("[s\n", 1, LineProblem::Section),
            ("= x\n", 1, LineProblem::Name),
            ("a = 1\na = 2\n", 2, LineProblem::Duplicate),
            ("\na = \"\"\"x\ny\n", 2, LineProblem::Quote),
        ] {
            for inline in [InlineComments::Cut, InlineComments::Refused] {
                let error = SyntaxError::Line { line, problem };
                assert_eq!(sections(text, inline), Err(error));
            }
        }
    }

    #[test]
    fn row_207_no_value_outside_sops_ends_at_a_mark_of_a_comment() {
        for value in [
            "\"p@ss#CANARY\"",
            "abc;CANARY",
            "'a#CANARY'",
            "#CANARY",
            "a ; CANARY",
            "a # CANARY",
        ] {
            let text = format!("; note\n[s]\na = {value}\nb = 1\n");
            let error = sections(&text, InlineComments::Refused).unwrap_err();
            let problem = LineProblem::InlineComment;
            assert_eq!(error, SyntaxError::Line { line: 3, problem }, "{value}");
            let hint = error.hint().expect("a hint");
            assert!(hint.contains("backticks"), "{hint}");
            assert!(!format!("{error} {error:?} {hint}").contains("CANARY"));
            assert!(sections(&text, InlineComments::Cut).is_ok());
        }
        // What the hint says, and lines that are nothing but a comment.
        for (value, read) in [
            ("`a#b;c`", "a#b;c"),
            ("\"\"\"a#b;c\"\"\"", "a#b;c"),
            ("x\n # note\n; note", "x"),
        ] {
            let text = format!("a = {value}\n");
            let seen = sections(&text, InlineComments::Refused);
            let values = vec![("a".to_owned(), read.to_owned())];
            assert_eq!(seen, Ok(vec![("DEFAULT".to_owned(), values)]));
        }
    }
}
