//! The elements of a template: the evaluator supports all of them.

use super::Place;
use super::functions::Function;

#[derive(Debug)]
pub(super) enum Stmt {
    /// Text that is written unchanged.
    Text(Place, String),
    Print(Expr),
    Set(Names, Expr),
    /// Variables that are declared in it are not known after it.
    Scope(Vec<Stmt>),
    If {
        condition: Expr,
        /// Whether the condition becomes the dot of `yes`.
        dot: bool,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    For(Box<Loop>),
}

/// Variables that get a value.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub list: Vec<String>,
    /// Whether they were declared before: Go's `=`.
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
    /// Whether it costs a step: in Go a command does, and its operands are included.
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
    /// `and` or `or`: the first deciding operand is the result, and later ones are not evaluated.
    Either {
        or: bool,
        of: Vec<Expr>,
    },
    /// An operator, a test, a filter or a function. The input is evaluated first, and is the last
    /// argument.
    Call {
        function: &'static Function,
        input: Option<Box<Expr>>,
        arguments: Vec<Option<Expr>>,
    },
    /// `command
    /// command`: each gets the value of the command before.
    Pipeline(Vec<Expr>),
    /// An error that counts only if the expression is evaluated.
    Misuse(&'static str),
}
