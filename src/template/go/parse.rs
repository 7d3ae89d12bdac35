//! Parses tokens to a tree.

use std::vec::IntoIter;

use super::super::tree::{self, Expr, Loop, Names, Stmt};
use super::lex::{self, Kind, Token, error};
use crate::template::error::{Place, Problem, TemplateError};

mod operand;

/// The deepest nesting of blocks and parentheses.
const MAX_DEPTH: u32 = 32;

/// Parses a whole template.
pub(super) fn parse(text: &str, left: &mut usize) -> Result<Vec<Stmt>, TemplateError> {
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
    /// Variables that are declared at this place.
    variables: Vec<String>,
    line: u32,
    depth: u32,
}

/// The token that ended a list of items.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Text,
    End,
    /// Only the word `else` was taken: an `if` or `with` may follow it.
    Else,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    If,
    With,
    Range,
}

/// `$x := command | command`.
struct Pipeline {
    names: Names,
    value: Expr,
}

/// The token that ends a pipeline.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Close,
    Paren,
}

impl Parser {
    fn syntax(&self, what: &'static str) -> TemplateError {
        error(self.line, Problem::Misuse(what))
    }

    /// An expression that ends here; `counts`: it is a command and costs a step.
    fn expr(&self, counts: bool, kind: tree::Kind) -> Expr {
        let at = self.place();
        Expr { at, counts, kind }
    }

    fn place(&self) -> Place {
        Place::of_line(self.line)
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
                Problem::Excess("it makes more than 32 levels of blocks and parentheses"),
            ));
        }
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// Items until the end of the text, or until the `end` or `else` of the surrounding block.
    fn items(&mut self) -> Result<(Vec<Stmt>, Stop), TemplateError> {
        let mut items = Vec::new();
        loop {
            match self.next() {
                None => return Ok((items, Stop::Text)),
                Some(Kind::Text(text)) => items.push(Stmt::Text(self.place(), text)),
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
                        _ => {
                            let Pipeline { names, value } = self.pipeline(Until::Close, 1)?;
                            items.push(match names.list.is_empty() {
                                true => Stmt::Print(value),
                                false => Stmt::Set(names, value),
                            });
                        }
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

    /// A block, from its keyword to its `end`.
    fn block(&mut self, kind: BlockKind) -> Result<Stmt, TemplateError> {
        let known = self.variables.len();
        let block = self.deeper(|parser| {
            parser.next();
            let most = if kind == BlockKind::Range { 2 } else { 1 };
            let pipeline = parser.pipeline(Until::Close, most)?;
            let (yes, end) = parser.items()?;
            let no = match end {
                Stop::End => Vec::new(),
                Stop::Else => parser.otherwise(kind)?,
                Stop::Text => return Err(parser.syntax("a block has no `end`")),
            };
            Ok(lowered(kind, pipeline, yes, no))
        });
        self.variables.truncate(known);
        block
    }

    /// The part after `else`: `else if` is a nested block that shares the `end`.
    fn otherwise(&mut self, kind: BlockKind) -> Result<Vec<Stmt>, TemplateError> {
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
        let names = self.declarations(most)?;
        let mut commands = Vec::new();
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
            commands.push(self.command(!commands.is_empty())?);
        }
        let value = match commands.len() {
            0 => return Err(self.syntax("an action has no value")),
            1 => commands.remove(0),
            _ => self.expr(false, tree::Kind::Pipeline(commands)),
        };
        // A declared variable is known from here on, but not in its own value.
        if !names.assigns {
            self.variables.extend(names.list.iter().cloned());
        }
        Ok(Pipeline { names, value })
    }

    fn declarations(&mut self, most: usize) -> Result<Names, TemplateError> {
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
            _ => return Ok(Names::default()),
        };
        if names.len() > most {
            return Err(self.syntax("two variables are declared where one can be"));
        }
        let assigns = **sign == Kind::Assign;
        if names.iter().any(String::is_empty) {
            return Err(self.syntax("`$` itself cannot be declared"));
        }
        if assigns && !names.iter().all(|name| self.variables.contains(name)) {
            return Err(self.syntax("a variable is assigned that was never declared"));
        }
        for _ in 0..names.len() * 2 {
            self.skip_space();
            self.next();
        }
        Ok(Names {
            list: names,
            assigns,
        })
    }
}

/// A block as statements: the variables of its pipeline are known until its end.
fn lowered(kind: BlockKind, pipeline: Pipeline, yes: Vec<Stmt>, no: Vec<Stmt>) -> Stmt {
    let Pipeline { names, value } = pipeline;
    if kind == BlockKind::Range {
        return Stmt::For(Box::new(Loop {
            names,
            items: value,
            filter: None,
            body: yes,
            otherwise: no,
        }));
    }
    let choice = |condition| Stmt::If {
        condition,
        dot: kind == BlockKind::With,
        yes,
        no,
    };
    Stmt::Scope(match names.list.first().cloned() {
        Some(name) => {
            let condition = Expr {
                at: value.at,
                counts: false,
                kind: tree::Kind::Name(name),
            };
            vec![Stmt::Set(names, value), choice(condition)]
        }
        None => vec![choice(value)],
    })
}
