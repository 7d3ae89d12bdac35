//! A text that is no YAML: what is wrong in plain words, where, and what to do.

use granit_parser::ErrorKind;

use super::flaw::Flaw;
use crate::format::yaml::{Place, What, YamlError};

/// Why the text cannot be read.
pub(in crate::config) fn flaw(error: YamlError, text: &str) -> Flaw {
    let YamlError { at, what } = error;
    let (what, hint) = match what {
        What::Malformed { error, well_until } => {
            let (what, hint) = meaning(error.kind());
            let at = match what {
                TAB => tab(text, at),
                QUOTE => open_quote(text, well_until).unwrap_or(at),
                _ => at,
            };
            return match what {
                "" => Flaw::new(at, error.info(), hint),
                what => Flaw::new(at, what, hint),
            };
        }
        What::Key | What::Scalar => (
            "a key is not text",
            "put quotes around text that begins with `{` or `[`, such as a template: \
             \"{{ NAME }}\"",
        ),
        What::Merge => (
            "a merge key `<<` takes mappings",
            "write `<<: *name` of an anchor before a mapping",
        ),
        What::InsideItself => (
            "this alias stands inside what it names",
            "put quotes around text that begins with `*`",
        ),
        What::Unfolds => (
            "the aliases unfold into far more than the file holds",
            "write it without aliases",
        ),
        What::TooDeep => ("this is nested too deeply", "no configuration needs that"),
        What::TooMany => (
            "the file holds more values than any configuration has",
            "write several files: --config takes a folder",
        ),
    };
    Flaw::new(at, what, hint)
}

const TAB: &str = "a tab stands here";
const QUOTE: &str = "this quote is not closed";
const BRACKETS: &str = "separate entries with `,`, and close each `{` and `[`";
const INDENT: &str = "indent the keys of one mapping alike, and write `: ` behind each key";
const QUOTES: &str = "put quotes around text with `: ` or ` #`, or with `{`, `[`, `*` or `&` \
     at its beginning";

/// What is wrong (`None` where the parser's own words serve), and what to do.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an enum of a library, which grows"
)]
fn meaning(kind: &ErrorKind) -> (&'static str, &'static str) {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => (TAB, "indent with spaces: YAML takes no tabs"),
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => (QUOTE, "close it in the same line"),
        ErrorKind::InvalidTrailingSingleQuotedScalar => (
            "text stands behind a closing quote",
            "put the whole value into quotes; a `'` inside of `'…'` is written twice",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar => (
            "text stands behind a closing quote",
            "put the whole value into quotes; a `\"` inside of `\"…\"` is written `\\\"`",
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "`\\` with this letter means nothing inside of `\"…\"`",
            "write `\\\\`, or use `'…'`, where a `\\` stands for itself",
        ),
        ErrorKind::UnclosedFlowCollection { .. } => ("this bracket is not closed", BRACKETS),
        ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => ("a bracket is not closed", BRACKETS),
        ErrorKind::ExpectedFlowMappingSeparator => ("a `,` or a `}` is expected here", BRACKETS),
        ErrorKind::ExpectedFlowSequenceSeparator => ("a `,` or a `]` is expected here", BRACKETS),
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => {
            ("this bracket closes nothing", BRACKETS)
        }
        ErrorKind::InvalidFlowScalarIndent => (
            "inside of a bracket, this line begins too far to the left",
            "indent it more than the line with the bracket, or close the bracket before it",
        ),
        ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => (
            "YAML reads this as an anchor, and there is none of this name",
            "put quotes around text that begins with `*` or `&`",
        ),
        ErrorKind::UnexpectedCharacter { .. } => (
            "text without quotes cannot begin with this character",
            "put quotes around the text",
        ),
        ErrorKind::ExpectedBlockMappingKey => ("a key is expected here", INDENT),
        ErrorKind::ExpectedBlockSequenceEntry => (
            "a `-` is expected here, or less indentation",
            "indent the keys of one mapping alike; each entry of a list begins with `- `",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("this is a key without `: `", INDENT)
        }
        ErrorKind::MappingValueNotAllowed => (
            "a `: ` cannot stand here",
            "put quotes around text with `: `, write a `:` behind the key above, and indent the \
             keys of one mapping alike",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => (
            "an entry of a list cannot stand here",
            "begin the list in a line of its own, below its key",
        ),
        _ => ("", QUOTES),
    }
}

/// The place of the tab: the parser tells only where the text before the tab begins.
fn tab(text: &str, from: Place) -> Place {
    let lines = text
        .lines()
        .zip(1_u32..)
        .skip_while(|(_, line)| *line < from.line);
    let indented = lines.filter_map(|(text, line)| {
        let rest = text.trim_start_matches(' ');
        let column = u32::try_from(text.len() - rest.len() + 1).ok()?;
        rest.starts_with('\t').then_some(Place { line, column })
    });
    indented.into_iter().next().unwrap_or(from)
}

/// The first quote at or after a character that opens a text: the parser tells only where it gave
/// up.
fn open_quote(text: &str, after: usize) -> Option<Place> {
    let (mut line, mut column) = (1, 1);
    let mut before = ' ';
    let mut comment = false;
    for (number, c) in text.chars().enumerate() {
        let opens = matches!(before, ' ' | '[' | '{' | ',') && matches!(c, '"' | '\'');
        comment = c != '\n' && (comment || (c == '#' && matches!(before, ' ' | '\n')));
        if number >= after && opens && !comment {
            return Some(Place { line, column });
        }
        (line, column) = match c {
            '\n' => (line + 1, 1),
            _ => (line, column + 1),
        };
        before = c;
    }
    None
}
