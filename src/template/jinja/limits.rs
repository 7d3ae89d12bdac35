//! Limits that are checked before minijinja's parser sees a template: for `a ~ a ~ …` and `elif`
//! chains it builds trees that are as deep as the chain is long.

use minijinja::machinery::{Token, tokenize};

use super::syntax::{self, position};
use crate::template::error::{Place, Problem, TemplateError};

/// Bytes of a template's text.
const MOST_BYTES: usize = 256 * 1024;
/// The most words and signs between one `{{` or `{%` and its end.
const MOST_TOKENS_IN_A_BLOCK: usize = 400;
/// The most `elif` in the whole template: each may be one level of nesting.
const MOST_ELIFS: usize = 100;

pub(super) fn check(text: &str) -> Result<(), TemplateError> {
    if text.len() > MOST_BYTES {
        let excess = Problem::Excess("the template is larger than 256 KiB");
        return Err(Place::of_column(1, 1).at()(excess));
    }
    let (mut in_block, mut elifs) = (0, 0);
    for token in tokenize(text, false, syntax::config()) {
        let (token, span) = token.map_err(|error| syntax::syntax_error(&error))?;
        if matches!(token, Token::VariableStart | Token::BlockStart) {
            in_block = 0;
        }
        in_block += 1;
        elifs += usize::from(matches!(token, Token::Ident("elif")));
        if in_block > MOST_TOKENS_IN_A_BLOCK || elifs > MOST_ELIFS {
            return Err(position(span).at()(Problem::Excess(
                "the expression is too long",
            )));
        }
    }
    Ok(())
}
