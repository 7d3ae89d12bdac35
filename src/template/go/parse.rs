//! Tokens to a tree.

use std::vec::IntoIter;

use super::lex::{self, Kind, Token};
use super::{Block, BlockKind, Item, Operand, Pipeline, Problem, TemplateError, error};

mod operand;

/// How deep blocks and parentheses may stand in each other.
const MAX_DEPTH: u32 = 32;

/// Parses a whole template.
pub(super) fn parse(text: &str, left: &mut usize) -> Result<Vec<Item>, TemplateError> {
    let tokens = lex::tokens(text, left)?;
    let line = tokens.last().map_or(1, |token| token.line);
    let mut parser = Parser {
        tokens: tokens.into_iter(),
        variables: Vec::new(),
        line,
        depth: 0,
    };
    let (items, end) = parser.items()?;
    match end {
        Stop::Text => Ok(items),
        Stop::End | Stop::Else => {
            Err(parser.syntax("there is an `end` or `else` without its beginning"))
        }
    }
}

struct Parser {
    tokens: IntoIter<Token>,
    /// Those that are declared at this place.
    variables: Vec<String>,
    line: u32,
    depth: u32,
}

/// What ended a list of items.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Text,
    End,
    /// Only the word was taken: an `if` or `with` may follow it.
    Else,
}

/// What closes a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Close,
    Paren,
}

impl Parser {
    fn syntax(&self, what: &'static str) -> TemplateError {
        error(self.line, Problem::Syntax(what))
    }

    fn peek(&self) -> Option<&Kind> {
        self.tokens.as_slice().first().map(|token| &token.kind)
    }

    fn next(&mut self) -> Option<Kind> {
        let token = self.tokens.next()?;
        self.line = token.line;
        Some(token.kind)
    }

    fn skip_space(&mut self) {
        while self.peek() == Some(&Kind::Space) {
            self.next();
        }
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error(
                self.line,
                Problem::Excess("32 levels of blocks and parentheses"),
            ));
        }
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// Items up to the end of the text, or to the `end` or `else` of the block around them.
    fn items(&mut self) -> Result<(Vec<Item>, Stop), TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next() {
                None => return Ok((items, Stop::Text)),
                Some(Kind::Text(text)) => items.push(Item::Text(text)),
                Some(_) => {
                    self.skip_space();
                    let word = match self.peek() {
                        Some(Kind::Word(word)) => word.clone(),
                        _ => String::new(),
                    };
                    match word.as_str() {
                        "end" => {
                            self.next();
                            self.expect_close()?;
                            return Ok((items, Stop::End));
                        }
                        "else" => {
                            self.next();
                            return Ok((items, Stop::Else));
                        }
                        "if" => items.push(self.block(BlockKind::If)?),
                        "with" => items.push(self.block(BlockKind::With)?),
                        "range" => items.push(self.block(BlockKind::Range)?),
                        _ => items.push(Item::Action(self.pipeline(Until::Close, 1)?)),
                    }
                }
            }
        }
    }

    fn expect_close(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Kind::Close) => Ok(()),
            _ => Err(self.syntax("something stands where `}}` must")),
        }
    }

    /// A block from its word on, through its `end`.
    fn block(&mut self, kind: BlockKind) -> Result<Item, TemplateError> {
        let known = self.variables.len();
        let item = self.deeper(|parser| {
            parser.next();
            let pipeline =
                parser.pipeline(Until::Close, if kind == BlockKind::Range { 2 } else { 1 })?;
            let (items, end) = parser.items()?;
            let otherwise = match end {
                Stop::End => Vec::new(),
                Stop::Else => parser.otherwise(kind)?,
                Stop::Text => return Err(parser.syntax("a block has no `end`")),
            };
            Ok(Item::Block(Block {
                kind,
                pipeline,
                items,
                otherwise,
            }))
        });
        self.variables.truncate(known);
        item
    }

    /// What follows `else`: `else if` is a block of its own that shares the `end`.
    fn otherwise(&mut self, kind: BlockKind) -> Result<Vec<Item>, TemplateError> {
        self.skip_space();
        let chained = match (kind, self.peek()) {
            (BlockKind::If, Some(Kind::Word(word))) if word == "if" => true,
            (BlockKind::With, Some(Kind::Word(word))) if word == "with" => true,
            _ => false,
        };
        if chained {
            return Ok(vec![self.block(kind)?]);
        }
        self.expect_close()?;
        match self.items()? {
            (items, Stop::End) => Ok(items),
            (_, Stop::Else | Stop::Text) => {
                Err(self.syntax("a block has no `end` after its `else`"))
            }
        }
    }

    fn pipeline(&mut self, until: Until, most: usize) -> Result<Pipeline, TemplateError> {
        self.skip_space();
        let mut pipeline = Pipeline {
            line: self.line,
            variables: Vec::new(),
            assigns: false,
            commands: Vec::new(),
        };
        self.declarations(&mut pipeline, most)?;
        loop {
            self.skip_space();
            let ends = match self.peek() {
                Some(Kind::Close) => until == Until::Close,
                Some(Kind::RightParen) => until == Until::Paren,
                None => return Err(self.syntax("an action is not closed with `}}`")),
                Some(_) => false,
            };
            if ends {
                self.next();
                break;
            }
            let command = self.command()?;
            let first = pipeline.commands.is_empty();
            let runs = match command.head {
                Operand::Dot
                | Operand::Nil
                | Operand::Bool(_)
                | Operand::Int(_)
                | Operand::Text(_) => false,
                Operand::Field(_)
                | Operand::Variable(..)
                | Operand::Parens(_)
                | Operand::Function(_) => true,
            };
            if !first && !runs {
                return Err(self.syntax("something that is no function follows a `|`"));
            }
            pipeline.commands.push(command);
        }
        if pipeline.commands.is_empty() {
            return Err(self.syntax("an action has no value"));
        }
        // A declared variable is known from here on, and not in its own value.
        if !pipeline.assigns {
            self.variables.extend(pipeline.variables.iter().cloned());
        }
        Ok(pipeline)
    }

    fn declarations(&mut self, pipeline: &mut Pipeline, most: usize) -> Result<(), TemplateError> {
        let ahead: Vec<&Kind> = self
            .tokens
            .as_slice()
            .iter()
            .map(|token| &token.kind)
            .filter(|kind| **kind != Kind::Space)
            .take(4)
            .collect();
        let (names, sign) = match ahead.as_slice() {
            [
                Kind::Variable(name),
                sign @ (Kind::Declare | Kind::Assign),
                ..,
            ] => (vec![name.clone()], sign),
            [
                Kind::Variable(key),
                Kind::Comma,
                Kind::Variable(value),
                sign @ (Kind::Declare | Kind::Assign),
            ] => (vec![key.clone(), value.clone()], sign),
            _ => return Ok(()),
        };
        if names.len() > most {
            return Err(self.syntax("two variables are declared where one can be"));
        }
        pipeline.assigns = **sign == Kind::Assign;
        if names.iter().any(String::is_empty) {
            return Err(self.syntax("`$` itself cannot be declared"));
        }
        if pipeline.assigns && !names.iter().all(|name| self.variables.contains(name)) {
            return Err(self.syntax("a variable is assigned that was never declared"));
        }
        for _ in 0..names.len() * 2 {
            self.skip_space();
            self.next();
        }
        pipeline.variables = names;
        Ok(())
    }
}
