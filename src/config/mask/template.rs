//! Which parts of a template may be shown: expressions, without the quoted text in them.
//!
//! Backslashes count twice: those of YAML come first, and the template sees what they leave.

use std::ops::Range;

/// What of a template is hidden.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) hidden: Vec<Range<usize>>,
    /// Whether it is not known where an expression or a quoted text ends, so that all from there on
    /// is hidden.
    pub(super) unclear: bool,
}

/// Whether an expression or a statement begins here.
pub(super) fn begins(text: &str) -> bool {
    text.starts_with("{{") || text.starts_with("{%")
}

/// Whether an expression or a statement is in the text.
pub(super) fn opens(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The parts of a template outside `{{ }}` and `{% %}`, and quoted text inside. Quotes around the
/// whole template are not included.
pub(super) fn outside_braces(written: &str) -> Parts {
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let closes = written.len() > 1 && quote.is_some_and(|quote| written.ends_with(quote));
    let inner = usize::from(quote.is_some())..written.len() - usize::from(closes);
    let Some(template) = Template::read(&written[inner.clone()], quote) else {
        return Parts {
            hidden: vec![inner],
            unclear: true,
        };
    };
    let mut parts = template.parts();
    for part in &mut parts.hidden {
        let place = |at: usize| inner.start + template.places[at];
        *part = place(part.start)..place(part.end);
    }
    parts
}

/// The end of an expression.
enum End {
    /// Behind its `}}` or `%}`.
    Closed(usize),
    /// Before the `{{` or `{%` of another one, or at the end of the template.
    Open(usize),
    /// Nobody knows: a mark stands in quoted text, or a `\` outside.
    Unclear,
}

/// What the template language sees.
struct Template {
    text: String,
    /// The place of each byte in what is written, and the end.
    places: Vec<usize>,
}

impl Template {
    /// Takes the escapes of YAML away; `None` at one that may stand for anything.
    fn read(written: &str, quote: Option<char>) -> Option<Self> {
        let (mut text, mut places) = (String::new(), Vec::new());
        let mut characters = written.char_indices();
        while let Some((at, c)) = characters.next() {
            let seen = match (quote, c) {
                // Which control character a letter means does not matter here.
                (Some('"'), '\\') => match characters.next()?.1 {
                    'x' | 'u' | 'U' | '\n' | '\r' => return None,
                    escaped => escaped,
                },
                (Some('\''), '\'') => characters.next().filter(|&(_, c)| c == '\'')?.1,
                (_, c) => c,
            };
            text.push(seen);
            places.resize(text.len(), at);
        }
        places.push(written.len());
        Some(Self { text, places })
    }

    fn parts(&self) -> Parts {
        let text = &self.text;
        let mut parts = Parts::default();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let begun = [rest.find("{{"), rest.find("{%")];
            let open = begun.into_iter().flatten().min();
            let open = open.map_or(text.len(), |begun| at + begun);
            if !text[at..open].trim().is_empty() {
                parts.hidden.push(at..open);
            }
            if open == text.len() {
                break;
            }
            let mut literals = Vec::new();
            at = match self.end(open, &mut literals) {
                End::Closed(end) => {
                    parts.hidden.extend(literals);
                    end
                }
                End::Open(end) => {
                    parts.unclear |= end == text.len();
                    parts.hidden.push(open..end);
                    end
                }
                End::Unclear => {
                    parts.unclear = true;
                    parts.hidden.push(open..text.len());
                    text.len()
                }
            };
        }
        parts
    }

    /// The end of the expression that begins here, and the quoted texts in it.
    fn end(&self, open: usize, literals: &mut Vec<Range<usize>>) -> End {
        let behind = &self.text[open + 2..];
        if behind
            .trim_start_matches(['-', '+', ' '])
            .starts_with("raw")
            && self.text[open..].starts_with("{%")
        {
            return End::Unclear;
        }
        let mut quoted: Option<(usize, char)> = None;
        let mut characters = behind.char_indices();
        while let Some((at, c)) = characters.next() {
            let at = open + 2 + at;
            let rest = &self.text[at..];
            let closes = rest.starts_with("}}") || rest.starts_with("%}");
            match (quoted, c) {
                (None, '"' | '\'') => quoted = Some((at + 1, c)),
                (Some((start, quote)), c) if c == quote => {
                    literals.extend((start < at).then_some(start..at));
                    quoted = None;
                }
                (Some(_), '\\') => {
                    characters.next();
                }
                (None, '\\') => return End::Unclear,
                (Some(_), _) if closes || begins(rest) => return End::Unclear,
                (None, _) if closes => return End::Closed(at + 2),
                (None, _) if begins(rest) => return End::Open(at),
                (_, _) => {}
            }
        }
        match quoted {
            Some(_) => End::Unclear,
            None => End::Open(self.text.len()),
        }
    }
}
