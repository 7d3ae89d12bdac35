//! What a template may consist of: the evaluator can do all of it.

use super::Place;
use super::functions::Function;

#[derive(Debug)]
pub(super) enum Stmt {
    /// Written as it is.
    Text(Place, String),
    Print(Expr),
    Set(Names, Expr),
    /// What is declared in it is not known behind it.
    Scope(Vec<Stmt>),
    If {
        condition: Expr,
        /// Whether the condition is the dot of `yes`.
        dot: bool,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    For(Box<Loop>),
}

/// Names that are given a value.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub list: Vec<String>,
    /// Whether they are those declared before: Go's `=`.
    pub assigns: bool,
}

#[derive(Debug)]
pub(super) struct Loop {
    pub names: Names,
    pub items: Expr,
    pub filter: Option<Expr>,
    pub body: Vec<Stmt>,
    pub otherwise: Vec<Stmt>,
}

#[derive(Debug)]
pub(super) struct Expr {
    pub at: Place,
    /// Whether it costs a step: in Go a command does, and its operands are part of it.
    pub counts: bool,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Name(String),
    /// Go's `.`
    Dot,
    /// All values: Go's `$`.
    All,
    Text(Vec<u8>),
    Number(i64),
    Bool(bool),
    Null,
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Member(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    /// `a < b < c`; the flag is the `not` of `not in`.
    Chain(Box<Expr>, Vec<(&'static Function, bool, Expr)>),
    /// `and`, or `or`: the first that decides, and what stands behind it is not looked at.
    Either {
        or: bool,
        of: Vec<Expr>,
    },
    /// An operator, a test, a filter or a function. The input is made first, and is the last
    /// argument.
    Call {
        function: &'static Function,
        input: Option<Box<Expr>>,
        arguments: Vec<Option<Expr>>,
    },
    /// `command | command`: each is given what the one before made.
    Pipeline(Vec<Expr>),
    /// What only fails where it is reached.
    Misuse(&'static str),
}
