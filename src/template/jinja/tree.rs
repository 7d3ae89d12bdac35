//! What a template may consist of: the evaluator can do all of it.

use super::Position;
use super::filters::Filter;

/// The names of tests, for messages.
pub(super) const TESTS: [&str; 4] = ["defined", "undefined", "startingwith", "endingwith"];

/// A name that a template reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub name: String,
    pub at: Position,
    /// Whether the template says what happens without it.
    pub optional: bool,
}

#[derive(Debug)]
pub(super) enum Stmt {
    Raw(String),
    Emit(Expr),
    Set {
        name: String,
        value: Expr,
    },
    If {
        condition: Expr,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    For(Box<For>),
}

#[derive(Debug)]
pub(super) struct For {
    /// One name, or several that a list is unpacked into.
    pub names: Vec<String>,
    pub items: Expr,
    pub filter: Option<Expr>,
    pub body: Vec<Stmt>,
    pub otherwise: Vec<Stmt>,
}

#[derive(Debug)]
pub(super) struct Expr {
    pub at: Position,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Name(String),
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Member(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a < b < c`; the flag is the `not` of `not in`.
    Chain(Box<Expr>, Vec<(Operator, bool, Expr)>),
    Choice(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Filter(&'static Filter, Box<Expr>, Vec<Option<Expr>>),
    Test(Test, Box<Expr>, Option<Box<Expr>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Defined,
    Undefined,
    StartsWith,
    EndsWith,
}
