//! Lists of patterns in annotations: which namespaces a source names.
//!
//! The two controllers that people come from read them with other engines: .NET's and Go's. Ours is linear in the length of
//! the name, whatever the pattern, and a pattern that it would read differently is refused instead of guessed.

mod syntax;

use std::fmt;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// When a pattern speaks of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// When the whole name is of the pattern: what people mean by `a|ab`.
    #[default]
    Whole,
    /// When the first match of a search from the left is the whole name, as emberstack's reflector does: there `a|ab` does not
    /// mean `ab`, because `a` is found first.
    LeftmostFirst,
}

/// Whose syntax a pattern is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// emberstack's reflector.
    DotNet,
    /// mittwald's replicator.
    Go,
}

/// Longer than any list of namespaces that fits into a useful annotation.
const LONGEST_LIST: usize = 64 << 10;

/// So many patterns, each tried on each namespace.
const MOST_PATTERNS: usize = 1000;

/// Bytes of a compiled pattern. Counted repetitions multiply: `(a{50}){50}` is refused here.
const LARGEST_PROGRAM: usize = 256 << 10;

/// Groups within groups.
const DEEPEST: u32 = 50;

/// Names that a source speaks of.
#[derive(Debug, Clone, Default)]
pub struct PatternList {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Name(Box<str>),
    Expression(Arc<Regex>, Matching),
}

impl PatternList {
    /// Reads a comma-separated list; blanks between commas are nothing.
    pub fn parse(text: &str, syntax: Syntax, matching: Matching) -> Result<Self, PatternError> {
        if text.len() > LONGEST_LIST {
            return Err(PatternError::LongList);
        }
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let patterns: Vec<Pattern> = parts
            .map(|part| pattern(part, syntax, matching))
            .collect::<Result<_, _>>()?;
        if patterns.len() > MOST_PATTERNS {
            return Err(PatternError::LongList);
        }
        Ok(Self { patterns })
    }

    /// Whether a name is of one of the patterns.
    pub fn covers(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| match pattern {
            Pattern::Name(own) => **own == *name,
            Pattern::Expression(regex, Matching::Whole) => regex.is_match(name),
            Pattern::Expression(regex, Matching::LeftmostFirst) => regex
                .find(name)
                .is_some_and(|found| found.start() == 0 && found.len() == name.len()),
        })
    }
}

fn pattern(text: &str, syntax: Syntax, matching: Matching) -> Result<Pattern, PatternError> {
    // Most lists hold plain names; no engine is made for those.
    if text.bytes().all(is_plain) {
        return Ok(Pattern::Name(text.into()));
    }
    if let Some(why) = syntax::read_differently(text, syntax) {
        return Err(PatternError::Unsupported {
            pattern: text.into(),
            why,
        });
    }
    let alone = compile(text, text)?;
    let regex = match matching {
        Matching::LeftmostFirst => alone,
        // Alone it is whole, so the group cannot be closed from within: `a)|(?:b` was refused above.
        Matching::Whole => compile(&format!(r"\A(?:{text})\z"), text)?,
    };
    Ok(Pattern::Expression(Arc::new(regex), matching))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

fn compile(expression: &str, written: &str) -> Result<Regex, PatternError> {
    let built = RegexBuilder::new(expression)
        .size_limit(LARGEST_PROGRAM)
        .dfa_size_limit(LARGEST_PROGRAM)
        .nest_limit(DEEPEST)
        .build();
    built.map_err(|error| {
        if let regex::Error::CompiledTooBig(_) = error {
            return PatternError::TooBig(written.into());
        }
        PatternError::Invalid {
            pattern: written.into(),
            why: last_line(&error.to_string()),
        }
    })
}

/// The engine draws the pattern with a caret and says at the end what is wrong.
fn last_line(text: &str) -> String {
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Why a list of patterns says nothing that we could follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Too many, or too long.
    LongList,
    /// Its repetitions multiply.
    TooBig(String),
    /// No regular expression, or one that no linear engine can run.
    Invalid {
        /// As written.
        pattern: String,
        /// The engine's words.
        why: String,
    },
    /// The original reads it in another way than we could.
    Unsupported {
        /// As written.
        pattern: String,
        /// What it is.
        why: &'static str,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongList => write!(
                f,
                "a list has at most {MOST_PATTERNS} patterns in {LONGEST_LIST} bytes"
            ),
            Self::TooBig(pattern) => write!(f, "pattern {pattern:?} grows too big"),
            Self::Invalid { pattern, why } => write!(f, "pattern {pattern:?}: {why}"),
            Self::Unsupported { pattern, why } => {
                write!(f, "pattern {pattern:?}: {why} is not supported")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str, syntax: Syntax, matching: Matching) -> PatternList {
        PatternList::parse(text, syntax, matching).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Name, and whether it is meant: as emberstack's reflector has it, as we have it unless told otherwise.
    #[test]
    fn row_77_patterns_speak_of_whole_names() {
        for (text, name, original, ours) in [
            ("team-[0-9]*", "team-12", true, true),
            ("team-[0-9]*", "xteam-1", false, false),
            ("team-[0-9]*", "team-1x", false, false),
            ("a|ab", "a", true, true),
            ("a|ab", "ab", false, true),
            ("ab|a", "ab", true, true),
            ("a|ab", "xab", false, false),
            ("prod|dev", "prod", true, true),
            ("prod|dev", "xprod", false, false),
            ("prod|dev", "prodx", false, false),
            ("prod|dev", "prod\n", false, false),
            ("^a|b$", "ab", false, false),
            ("a.*?", "ab", false, true),
            ("a*", "b", false, false),
            (" , ", "a", false, false),
            (" a , , b ", "b", true, true),
            ("A", "a", false, false),
            ("(?i)A", "a", true, true),
            (".*", "anything", true, true),
            ("x{2}", "xx", true, true),
        ] {
            let original_list = list(text, Syntax::DotNet, Matching::LeftmostFirst);
            assert_eq!(original_list.covers(name), original, "{text:?} {name:?}");
            let our_list = list(text, Syntax::DotNet, Matching::Whole);
            assert_eq!(our_list.covers(name), ours, "{text:?} {name:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_its_reason() {
        let too_long = "a,".repeat(40_000);
        let too_many = "a,".repeat(1001);
        for (text, expected) in [
            (
                "(?=a)b",
                "look-around, including look-ahead and look-behind, is not supported",
            ),
            (r"(a)\1", "backreferences are not supported"),
            ("a)|(?:b", "unopened group"),
            ("[", "unclosed character class"),
            ("(a{500}){500}", "grows too big"),
            ("team-{1", "pattern \"team-{1\""),
            ("3}", ""),
            (too_long.as_str(), "at most 1000 patterns"),
            (too_many.as_str(), "at most 1000 patterns"),
        ] {
            match PatternList::parse(text, Syntax::DotNet, Matching::Whole) {
                Ok(_) => assert_eq!(expected, "", "{text:.20}"),
                Err(error) => {
                    assert!(!expected.is_empty(), "{text:.20}: {error}");
                    assert!(error.to_string().contains(expected), "{text:.20}: {error}");
                }
            }
        }
    }

    #[test]
    fn time_does_not_grow_with_the_pattern_of_an_attacker() {
        let name = "a".repeat(253);
        let evil = list("(a*)*(a|aa)*c", Syntax::DotNet, Matching::Whole);
        let start = std::time::Instant::now();
        for _ in 0..100 {
            assert!(!evil.covers(&name));
        }
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}
