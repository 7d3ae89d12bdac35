//! Splits templates into tokens, with Go's rules for trimming and for the end of a word.

use crate::template::error::{Place, Problem, TemplateError};

mod escape;

use escape::escape;

/// A token and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text outside of actions, already trimmed.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// White space between words: it separates arguments.
    Space,
    /// A function or a keyword.
    Word(String),
    /// `.name`
    Field(String),
    /// `$name`; `$` alone has an empty name.
    Variable(String),
    /// `.`
    Dot,
    /// `"…"` or a raw string.
    String(Vec<u8>),
    /// A number.
    Int(i64),
    /// `|`
    Pipe,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// All tokens of a template. `left` is how many more tokens all templates of the file may have.
pub(super) fn tokens(text: &str, left: &mut usize) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer {
        rest: text,
        line: 1,
        tokens: Vec::new(),
        left,
    };
    lexer.text()?;
    Ok(lexer.tokens)
}

struct Lexer<'a, 'b> {
    rest: &'a str,
    line: u32,
    tokens: Vec<Token>,
    left: &'b mut usize,
}

impl<'a> Lexer<'a, '_> {
    fn syntax(&self, what: &'static str) -> TemplateError {
        error(self.line, Problem::Misuse(what))
    }

    fn unsupported(&self, what: String) -> TemplateError {
        error(self.line, Problem::Unsupported(what))
    }

    fn push(&mut self, line: u32, kind: Kind) -> Result<(), TemplateError> {
        let much = || error(line, Problem::TooLong);
        *self.left = self.left.checked_sub(1).ok_or_else(much)?;
        self.tokens.push(Token { line, kind });
        Ok(())
    }

    /// Takes this many bytes and counts their lines.
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        let lines = taken.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
        taken
    }

    fn text(&mut self) -> Result<(), TemplateError> {
        while let Some(at) = self.rest.find("{{") {
            let trims = trims_left(&self.rest[at + 2..]);
            let line = self.line;
            let text = self.skip(at);
            let text = if trims {
                text.trim_end_matches(SPACE)
            } else {
                text
            };
            if !text.is_empty() {
                self.push(line, Kind::Text(text.to_owned()))?;
            }
            let marker = if trims { 4 } else { 2 };
            if self.rest[marker..].starts_with("/*") {
                self.skip(marker);
                self.comment()?;
            } else {
                self.push(self.line, Kind::Open)?;
                self.skip(marker);
                self.action()?;
            }
        }
        if !self.rest.is_empty() {
            let kind = Kind::Text(self.rest.to_owned());
            self.push(self.line, kind)?;
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), TemplateError> {
        let end = self
            .rest
            .find("*/")
            .ok_or_else(|| self.syntax("a comment does not end"))?;
        self.skip(end + 2);
        if !self.close() {
            return Err(self.syntax("a comment must stand alone between its braces"));
        }
        Ok(())
    }

    /// Takes `}}`, and with the trim marker also the white space after it.
    fn close(&mut self) -> bool {
        if let Some(length) = closing_with_marker(self.rest) {
            self.skip(length);
            let spaces = self.rest.len() - self.rest.trim_start_matches(SPACE).len();
            self.skip(spaces);
            return true;
        }
        let closes = self.rest.starts_with("}}");
        if closes {
            self.skip(2);
        }
        closes
    }

    fn action(&mut self) -> Result<(), TemplateError> {
        let mut depth = 0_usize;
        loop {
            let line = self.line;
            if self.rest.starts_with("}}") || closing_with_marker(self.rest).is_some() {
                if depth > 0 {
                    return Err(self.syntax("a `(` is not closed"));
                }
                self.push(line, Kind::Close)?;
                self.close();
                return Ok(());
            }
            let Some(first) = self.rest.chars().next() else {
                return Err(self.syntax("an action is not closed with `}}`"));
            };
            match first {
                '(' => depth += 1,
                ')' => {
                    depth = depth
                        .checked_sub(1)
                        .ok_or_else(|| self.syntax("a `)` closes nothing"))?;
                }
                _ => {}
            }
            let (kind, length) = self.token(first)?;
            self.push(line, kind)?;
            self.skip(length);
        }
    }

    /// The next token and its length.
    fn token(&self, first: char) -> Result<(Kind, usize), TemplateError> {
        Ok(match first {
            ' ' | '\t' | '\r' | '\n' => (Kind::Space, self.space()),
            '|' => (Kind::Pipe, 1),
            '(' => (Kind::LeftParen, 1),
            ')' => (Kind::RightParen, 1),
            ',' => (Kind::Comma, 1),
            '=' => (Kind::Assign, 1),
            ':' if self.rest.starts_with(":=") => (Kind::Declare, 2),
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '$' => {
                let (name, length) = self.name(1)?;
                (Kind::Variable(name), length)
            }
            '.' if !self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let (name, length) = self.name(1)?;
                (
                    if name.is_empty() {
                        Kind::Dot
                    } else {
                        Kind::Field(name)
                    },
                    length,
                )
            }
            '+' | '-' | '.' | '0'..='9' => self.number()?,
            '\'' => return Err(self.unsupported("a character constant".to_owned())),
            first if is_word(first) => {
                let (name, length) = self.name(0)?;
                (Kind::Word(name), length)
            }
            _ => return Err(self.syntax("a character that has no meaning in an action")),
        })
    }

    /// The length of the white space, without the blank that belongs to a closing marker.
    fn space(&self) -> usize {
        let length = self.rest.len() - self.rest.trim_start_matches(SPACE).len();
        // All four white-space characters have one byte, so the last one begins one byte before the
        // end.
        let last = length.saturating_sub(1);
        if last > 0 && closing_with_marker(&self.rest[last..]).is_some() {
            last
        } else {
            length
        }
    }

    /// A name after this many bytes; the next character must be allowed to end it.
    fn name(&self, skip: usize) -> Result<(String, usize), TemplateError> {
        let rest = &self.rest[skip..];
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        let ends = after.is_empty()
            || after.starts_with("}}")
            || after.starts_with(|c: char| SPACE.contains(&c) || ".,|:()".contains(c));
        if !ends {
            return Err(self.syntax(if after.starts_with('-') {
                "a name ends at `-`: write `index . \"its-name\"`"
            } else {
                "a name ends in a character that it cannot have"
            }));
        }
        Ok((name.to_owned(), skip + length))
    }

    fn number(&self) -> Result<(Kind, usize), TemplateError> {
        let end = |c: char| !(is_word(c) || matches!(c, '.' | '+' | '-'));
        let length = self.rest.find(end).unwrap_or(self.rest.len());
        let text = &self.rest[..length];
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let plain = digits == "0"
            || (!digits.starts_with('0')
                && !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit()));
        match text.parse().ok().filter(|_| plain) {
            Some(number) => Ok((Kind::Int(number), length)),
            None => Err(self.unsupported("a number that is not a plain whole one".to_owned())),
        }
    }

    fn raw(&self) -> Result<(Kind, usize), TemplateError> {
        let inside = &self.rest[1..];
        let end = inside
            .find('`')
            .ok_or_else(|| self.syntax("a raw text does not end"))?;
        let text = inside.as_bytes()[..end]
            .iter()
            .copied()
            .filter(|byte| *byte != b'\r');
        Ok((Kind::String(text.collect()), end + 2))
    }

    fn quoted(&self) -> Result<(Kind, usize), TemplateError> {
        let mut bytes = Vec::new();
        let mut rest = &self.rest[1..];
        loop {
            let mut chars = rest.chars();
            match chars.next() {
                Some('"') => return Ok((Kind::String(bytes), self.rest.len() - rest.len() + 1)),
                Some('\\') => {
                    let after = escape(chars.as_str(), &mut bytes);
                    rest = after
                        .ok_or_else(|| self.syntax("a text has an escape that means nothing"))?;
                    continue;
                }
                None | Some('\n') => {
                    return Err(self.syntax("a text in quotes does not end on its line"));
                }
                Some(other) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            rest = chars.as_str();
        }
    }
}

/// Keys of Secrets are ASCII, so only ASCII is allowed in names.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether the marker after `{{` trims the text before it.
fn trims_left(rest: &str) -> bool {
    rest.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(SPACE))
}

/// The length of a ` -}}` at the beginning.
fn closing_with_marker(rest: &str) -> Option<usize> {
    rest.strip_prefix(SPACE)?.starts_with("-}}").then_some(4)
}

pub(super) fn error(line: u32, problem: Problem) -> TemplateError {
    Place::of_line(line).at()(problem)
}
