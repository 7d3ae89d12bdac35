//! Commands and the operands in them.

use super::super::functions::Function;
use super::super::lex::Kind;
use super::super::{Command, Operand, Problem, TemplateError, error};
use super::{Parser, Until};

impl Parser {
    pub(super) fn command(&mut self) -> Result<Command, TemplateError> {
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
                    // As in Go, nothing need follow it.
                    self.next();
                    break;
                }
                None | Some(Kind::Close | Kind::RightParen) => break,
                Some(_) => return Err(self.syntax("two words stand together without a space")),
            }
        }
        let line = self.line;
        let mut operands = operands.into_iter();
        match operands.next() {
            Some(head) => Ok(Command {
                line,
                head,
                arguments: operands.collect(),
            }),
            None => Err(self.syntax("a command is empty")),
        }
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let term = self.term()?;
        let mut fields = Vec::new();
        while let Some(Kind::Field(name)) = self.peek() {
            fields.push(name.clone());
            self.next();
        }
        match term {
            term if fields.is_empty() => Ok(term),
            Operand::Field(mut names) => {
                names.extend(fields);
                Ok(Operand::Field(names))
            }
            Operand::Variable(name, mut names) => {
                names.extend(fields);
                Ok(Operand::Variable(name, names))
            }
            Operand::Parens(_) | Operand::Function(_) => Err(error(
                self.line,
                Problem::Unsupported("a field of a computed value".to_owned()),
            )),
            Operand::Dot | Operand::Nil | Operand::Bool(_) | Operand::Int(_) | Operand::Text(_) => {
                Err(self.syntax("a field follows something that has none"))
            }
        }
    }

    fn term(&mut self) -> Result<Operand, TemplateError> {
        Ok(match self.next() {
            Some(Kind::Dot) => Operand::Dot,
            Some(Kind::Int(number)) => Operand::Int(number),
            Some(Kind::String(bytes)) => Operand::Text(bytes),
            Some(Kind::Field(name)) => Operand::Field(vec![name]),
            Some(Kind::Variable(name)) => {
                if !name.is_empty() && !self.variables.contains(&name) {
                    return Err(error(
                        self.line,
                        Problem::Unknown(format!("variable `${name}`")),
                    ));
                }
                Operand::Variable(name, Vec::new())
            }
            Some(Kind::LeftParen) => {
                let known = self.variables.len();
                let inner = self.deeper(|parser| parser.pipeline(Until::Paren, 1))?;
                if !inner.variables.is_empty() {
                    return Err(error(
                        self.line,
                        Problem::Unsupported("a variable declared in parentheses".to_owned()),
                    ));
                }
                self.variables.truncate(known);
                Operand::Parens(Box::new(inner))
            }
            Some(Kind::Word(word)) => self.word(&word)?,
            _ => return Err(self.syntax("an action holds something that is no value")),
        })
    }

    fn word(&self, word: &str) -> Result<Operand, TemplateError> {
        Ok(match word {
            "nil" => Operand::Nil,
            "true" => Operand::Bool(true),
            "false" => Operand::Bool(false),
            "if" | "else" | "end" | "range" | "with" => {
                return Err(self.syntax("a keyword stands where a value must"));
            }
            "define" | "template" | "block" | "break" | "continue" => {
                return Err(error(self.line, Problem::Unsupported(format!("`{word}`"))));
            }
            word => match Function::named(word) {
                Some(function) => Operand::Function(function),
                None => {
                    let what = format!("the function `{}`", crate::base::plain::name(word));
                    return Err(error(self.line, Problem::Unsupported(what)));
                }
            },
        })
    }
}
