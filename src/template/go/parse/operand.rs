//! Commands and the operands in them.

use super::super::super::functions::{FUNCTIONS, Function};
use super::super::super::tree::{self, Expr};
use super::super::lex::{Kind, error};
use super::{Parser, Until};
use crate::template::error::{Problem, TemplateError};

/// The beginning of a command, or an argument.
enum Operand {
    /// `quote`
    Function(&'static Function),
    /// `and`, or `or`.
    Either(bool),
    /// `(pipeline)`
    Parens(Expr),
    /// Anything else.
    Value(Expr),
}

impl Parser {
    /// A command; `piped`: it gets the value of the command before.
    pub(super) fn command(&mut self, piped: bool) -> Result<Expr, TemplateError> {
        let mut operands = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(Kind::Close | Kind::RightParen | Kind::Pipe) => {}
                Some(_) => operands.push(self.operand()?),
            }
            match self.peek() {
                Some(Kind::Space) => {}
                Some(Kind::Pipe) => {
                    // As in Go, nothing has to follow it.
                    self.next();
                    break;
                }
                None | Some(Kind::Close | Kind::RightParen) => break,
                Some(_) => return Err(self.syntax("two words stand together without a space")),
            }
        }
        let mut operands = operands.into_iter();
        let Some(head) = operands.next() else {
            return Err(self.syntax("a command is empty"));
        };
        let arguments: Vec<Expr> = operands.map(|operand| self.argument(operand)).collect();
        let kind = match head {
            Operand::Function(function) => called(function, arguments),
            Operand::Either(_) if !piped && arguments.is_empty() => WITHOUT_ARGUMENT,
            Operand::Either(or) => tree::Kind::Either { or, of: arguments },
            Operand::Value(value) if piped && is_constant(&value) => {
                return Err(self.syntax("something that is no function follows a `|`"));
            }
            Operand::Value(_) | Operand::Parens(_) if piped || !arguments.is_empty() => {
                tree::Kind::Misuse("arguments are given to something that is no function")
            }
            Operand::Value(value) if matches!(value.kind, tree::Kind::Null) => {
                tree::Kind::Misuse("`nil` is no value")
            }
            Operand::Value(value) | Operand::Parens(value) => value.kind,
        };
        Ok(self.expr(true, kind))
    }

    fn argument(&self, operand: Operand) -> Expr {
        match operand {
            Operand::Parens(value) | Operand::Value(value) => value,
            Operand::Function(function) => self.expr(true, called(function, Vec::new())),
            Operand::Either(_) => self.expr(true, WITHOUT_ARGUMENT),
        }
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let mut operand = self.term()?;
        while let Some(Kind::Field(name)) = self.peek() {
            let name = name.clone();
            operand = match operand {
                Operand::Value(value) if is_constant(&value) => {
                    return Err(self.syntax("a field follows something that has none"));
                }
                // The evaluator fails at the second field already, so a third one is dropped.
                Operand::Value(value) if is_deep(&value) => Operand::Value(value),
                Operand::Value(value) => {
                    let kind = tree::Kind::Member(Box::new(value), name);
                    Operand::Value(self.expr(false, kind))
                }
                Operand::Parens(_) | Operand::Function(_) | Operand::Either(_) => {
                    let what = "a field of a computed value".to_owned();
                    return Err(error(self.line, Problem::Unsupported(what)));
                }
            };
            self.next();
        }
        Ok(operand)
    }

    fn term(&mut self) -> Result<Operand, TemplateError> {
        let kind = match self.next() {
            Some(Kind::Dot) => tree::Kind::Dot,
            Some(Kind::Int(number)) => tree::Kind::Number(number),
            Some(Kind::String(bytes)) => tree::Kind::Text(bytes),
            Some(Kind::Field(name)) => {
                let dot = self.expr(false, tree::Kind::Dot);
                tree::Kind::Member(Box::new(dot), name)
            }
            Some(Kind::Variable(name)) if name.is_empty() => tree::Kind::All,
            Some(Kind::Variable(name)) => {
                if !self.variables.contains(&name) {
                    let what = format!("variable `${name}`");
                    return Err(error(self.line, Problem::Unknown(what)));
                }
                tree::Kind::Name(name)
            }
            Some(Kind::LeftParen) => {
                let known = self.variables.len();
                let inner = self.deeper(|parser| parser.pipeline(Until::Paren, 1))?;
                if !inner.names.list.is_empty() {
                    let what = "a variable declared in parentheses".to_owned();
                    return Err(error(self.line, Problem::Unsupported(what)));
                }
                self.variables.truncate(known);
                return Ok(Operand::Parens(inner.value));
            }
            Some(Kind::Word(word)) => return self.word(&word),
            _ => return Err(self.syntax("an action holds something that is no value")),
        };
        Ok(Operand::Value(self.expr(false, kind)))
    }

    fn word(&self, word: &str) -> Result<Operand, TemplateError> {
        let kind = match word {
            "nil" => tree::Kind::Null,
            "true" => tree::Kind::Bool(true),
            "false" => tree::Kind::Bool(false),
            "and" => return Ok(Operand::Either(false)),
            "or" => return Ok(Operand::Either(true)),
            "if" | "else" | "end" | "range" | "with" => {
                return Err(self.syntax("a keyword stands where a value must"));
            }
            "define" | "template" | "block" | "break" | "continue" => {
                return Err(error(self.line, Problem::Unsupported(format!("`{word}`"))));
            }
            word => match Function::named(FUNCTIONS, word) {
                Some(function) => return Ok(Operand::Function(function)),
                None => {
                    let what = format!("the function `{}`", crate::base::printable::name(word));
                    return Err(error(self.line, Problem::Unsupported(what)));
                }
            },
        };
        Ok(Operand::Value(self.expr(false, kind)))
    }
}

const WITHOUT_ARGUMENT: tree::Kind = tree::Kind::Misuse("`and` and `or` need an argument");

fn called(function: &'static Function, arguments: Vec<Expr>) -> tree::Kind {
    tree::Kind::Call {
        function,
        input: None,
        arguments: arguments.into_iter().map(Some).collect(),
    }
}

/// A field of a field.
fn is_deep(expr: &Expr) -> bool {
    matches!(&expr.kind, tree::Kind::Member(of, _) if matches!(of.kind, tree::Kind::Member(..)))
}

/// Whether it has no fields and may stand only at the beginning of a pipeline.
fn is_constant(expr: &Expr) -> bool {
    match expr.kind {
        tree::Kind::Dot
        | tree::Kind::Null
        | tree::Kind::Bool(_)
        | tree::Kind::Number(_)
        | tree::Kind::Text(_) => true,
        tree::Kind::Name(_)
        | tree::Kind::All
        | tree::Kind::Member(..)
        | tree::Kind::List(_)
        | tree::Kind::Map(_)
        | tree::Kind::Item(..)
        | tree::Kind::Choice(..)
        | tree::Kind::Chain(..)
        | tree::Kind::Either { .. }
        | tree::Kind::Call { .. }
        | tree::Kind::Pipeline(_)
        | tree::Kind::Misuse(_) => false,
    }
}
