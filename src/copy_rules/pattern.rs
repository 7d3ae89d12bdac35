//! Lists of patterns in annotations: the namespaces that a source names.
//!
//! The two original controllers use other engines: .NET's and Go's. The time of ours grows only
//! linearly with the length of the name, whatever the pattern. A pattern that ours would read
//! differently is refused instead of guessed.

pub mod budget;
mod syntax;

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, BuildError, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};

use budget::{Budget, Cost, Limit};

pub use syntax::Syntax;

/// When a pattern matches a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Matching {
    /// The pattern must match the whole name: this is what people mean by `a|ab`.
    #[default]
    Whole,
    /// The first match of a search from the left must be the whole name, as in emberstack's
    /// reflector: there `a|ab` does not mean `ab`, because the search finds `a` first.
    LeftmostFirst,
}

/// The largest number of patterns, each of which is tried on each namespace.
const MOST_PATTERNS: usize = 1000;

/// Bytes of one expression: while it is parsed, it takes much more memory than that.
const LONGEST_EXPRESSION: usize = 1 << 10;

/// The deepest nesting of groups.
const DEEPEST: u32 = 50;

/// Bytes that an entry of a list takes in addition to its text.
const ENTRY: usize = 48;

/// The names that a source gives to.
#[derive(Debug, Clone, Default)]
pub struct PatternList {
    patterns: Arc<[Pattern]>,
}

#[derive(Debug)]
enum Pattern {
    Name(Box<str>),
    Expression(Box<PikeVM>),
}

impl PatternList {
    /// Reads a comma-separated list; empty entries are ignored. Each pattern is charged to the
    /// budget before the next is read.
    pub fn parse(
        text: &str,
        syntax: Syntax,
        matching: Matching,
        budget: &mut Budget,
    ) -> Result<Self, PatternError> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let mut patterns = Vec::new();
        for part in parts {
            if patterns.len() == MOST_PATTERNS {
                return Err(PatternError::LongList);
            }
            patterns.push(pattern(part, syntax, matching, budget)?);
        }
        Ok(Self {
            patterns: patterns.into(),
        })
    }

    /// Whether one of the patterns matches a name.
    pub fn covers(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| match pattern {
            Pattern::Name(own) => **own == *name,
            Pattern::Expression(engine) => {
                let input = Input::new(name).anchored(Anchored::Yes);
                let found = engine.find(&mut engine.create_cache(), input);
                found.is_some_and(|found| found.end() == name.len())
            }
        })
    }
}

fn pattern(
    text: &str,
    syntax: Syntax,
    matching: Matching,
    budget: &mut Budget,
) -> Result<Pattern, PatternError> {
    // Most lists contain plain names; no engine is built for those.
    if text.bytes().all(is_plain) {
        let bytes = ENTRY + text.len();
        budget.spend(Cost { bytes, states: 0 })?;
        return Ok(Pattern::Name(text.into()));
    }
    if text.len() > LONGEST_EXPRESSION {
        return Err(PatternError::LongExpression);
    }
    if let Some(why) = syntax::read_differently(text, syntax) {
        return Err(PatternError::Unsupported {
            pattern: text.into(),
            why,
        });
    }
    let engine = compile(text, matching, budget)?;
    let nfa = engine.get_nfa();
    budget.spend(Cost {
        bytes: ENTRY + size_of::<PikeVM>() + nfa.memory_usage(),
        states: nfa.states().len(),
    })?;
    Ok(Pattern::Expression(Box::new(engine)))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// An automaton as large as the text of the pattern, without a cache. A search begins at the start
/// of a name: among all matches it takes the longest, which is the whole name if any match is.
fn compile(text: &str, matching: Matching, budget: &Budget) -> Result<PikeVM, PatternError> {
    let kind = match matching {
        Matching::Whole => MatchKind::All,
        Matching::LeftmostFirst => MatchKind::LeftmostFirst,
    };
    let syntax = regex_automata::util::syntax::Config::new();
    let built = PikeVM::builder()
        .configure(pikevm::Config::new().match_kind(kind))
        // Names of namespaces are ASCII.
        .syntax(syntax.unicode(false).utf8(false).nest_limit(DEEPEST))
        .thompson(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(budget.left().bytes))
                .which_captures(WhichCaptures::Implicit),
        )
        .build(text);
    built.map_err(|error| match error.size_limit() {
        Some(_) => PatternError::Costly(budget.limit()),
        None => PatternError::Invalid {
            pattern: text.into(),
            why: last_line(&error),
        },
    })
}

/// The engine draws the pattern with a caret; its last line says what is wrong.
fn last_line(error: &BuildError) -> String {
    let inner = error.source().map(ToString::to_string);
    let text = inner.unwrap_or_else(|| error.to_string());
    let last = text.lines().next_back().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// Why a list of patterns cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// Too many patterns.
    LongList,
    /// One pattern is too long.
    LongExpression,
    /// The patterns cost more than is allowed.
    Costly(Limit),
    /// The text is no regular expression, or one that no linear engine can run.
    Invalid {
        /// The pattern as it was written.
        pattern: String,
        /// The message of the engine.
        why: String,
    },
    /// The original controller reads the pattern in another way than our engine.
    Unsupported {
        /// The pattern as it was written.
        pattern: String,
        /// The construct that is read differently.
        why: &'static str,
    },
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LongList => write!(f, "a list has at most {MOST_PATTERNS} patterns"),
            Self::LongExpression => {
                write!(f, "an expression has at most {LONGEST_EXPRESSION} bytes")
            }
            Self::Costly(limit) => limit.fmt(f),
            Self::Invalid { pattern, why } => write!(f, "pattern {pattern:?}: {why}"),
            Self::Unsupported { pattern, why } => {
                write!(f, "pattern {pattern:?}: {why} is not supported")
            }
        }
    }
}

impl PatternError {
    /// The limit that was exceeded, if the error is about a limit.
    pub fn limit(&self) -> Option<Limit> {
        match self {
            Self::Costly(limit) => Some(*limit),
            Self::LongList
            | Self::LongExpression
            | Self::Invalid { .. }
            | Self::Unsupported { .. } => None,
        }
    }
}

impl From<Limit> for PatternError {
    fn from(limit: Limit) -> Self {
        Self::Costly(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, syntax: Syntax, matching: Matching) -> Result<PatternList, PatternError> {
        PatternList::parse(text, syntax, matching, &mut Budget::after(Cost::default()))
    }

    fn list(text: &str, syntax: Syntax, matching: Matching) -> PatternList {
        parse(text, syntax, matching).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Each row: a name, whether emberstack's reflector matches it, and whether we match it by
    /// default.
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
        let long = format!("a{}", ".".repeat(1024));
        let too_many = "a,".repeat(1001);
        for (text, expected) in [
            (
                "(?=a)b",
                "look-around, including look-ahead and look-behind, is not supported",
            ),
            (r"(a)\1", "backreferences are not supported"),
            ("a)|(?:b", "unopened group"),
            ("[", "unclosed character class"),
            ("(a{500}){500}", "too large: the lists of an object"),
            (long.as_str(), "an expression has at most 1024 bytes"),
            ("team-{1", "pattern \"team-{1\""),
            ("3}", ""),
            (too_long.as_str(), "at most 1000 patterns"),
            (too_many.as_str(), "at most 1000 patterns"),
        ] {
            match parse(text, Syntax::DotNet, Matching::Whole) {
                Ok(_) => assert_eq!(expected, "", "{text:.20}"),
                Err(error) => {
                    assert!(!expected.is_empty(), "{text:.20}: {error}");
                    assert!(error.to_string().contains(expected), "{text:.20}: {error}");
                }
            }
        }
    }

    /// A pattern of fifteen kilobytes costs us no more than the limit of one object.
    #[test]
    fn row_81_patterns_are_paid_for_before_they_are_kept() {
        let many: Vec<String> = (0..1000).map(|n| format!("[a-z]{{3000}}{n:03}")).collect();
        let names: Vec<String> = (0..1000).map(|n| format!("team-{n}")).collect();
        let small: Vec<String> = (0..40).map(|n| format!("team-{n}-[0-9]+")).collect();
        for (text, fits) in [(many, false), (names, true), (small, true)] {
            let text = text.join(",");
            let mut budget = Budget::after(Cost::default());
            let read = PatternList::parse(&text, Syntax::DotNet, Matching::Whole, &mut budget);
            assert_eq!(read.is_ok(), fits, "{text:.20}: {read:?}");
            let spent = budget.spent();
            assert!(spent.bytes <= Cost::OBJECT.bytes && spent.states <= Cost::OBJECT.states);
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
