//! The functions of templates: operators, tests and filters of Jinja, functions of Go and of sprig.
//! Each has one row in a table; if the meaning is the same in both languages, they share one Rust
//! function. No function reads a file, a clock, the environment or the network.

use super::Problem;
use super::context::{Context, Language};
use super::value::{Buffer, Value};

mod choose;
mod compare;
mod decode;
mod escape;
mod json;
mod list;
mod number;
mod print;
mod table;
mod text;

pub(super) use table::{FILTERS, FUNCTIONS, TESTS, operators};

/// One row of a table.
pub(super) struct Function {
    pub name: &'static str,
    /// The names of its arguments, if the language has them.
    pub parameters: &'static [&'static str],
    /// The smallest number of arguments.
    pub least: usize,
    /// The largest number of arguments.
    most: usize,
    /// Whether its input may be missing.
    pub takes_nothing: bool,
    /// Whether all data are passed as one mapping, after each value was checked.
    pub takes_mapping: bool,
    run: Run,
}

/// The result of a call.
type Made<'a> = Result<Value<'a>, Problem>;

type Run = for<'a> fn(&Call<'_, 'a>) -> Made<'a>;

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// The row with this name.
    pub(super) fn named(table: &'static [Self], name: &str) -> Option<&'static Self> {
        table.iter().find(|function| function.name == name)
    }

    /// The error for wrong arguments in Jinja.
    pub(super) fn takes_others(&self) -> Problem {
        let Self {
            name,
            parameters,
            least,
            ..
        } = self;
        Problem::Mistake {
            what: format!("`{name}` does not take these arguments"),
            hint: match parameters.len() {
                0 => format!("`{name}` takes no arguments"),
                most => format!(
                    "`{name}({})` takes {least} to {most} arguments, none of them empty text",
                    parameters.join(", ")
                ),
            },
        }
    }

    /// Calls the function; its last argument is the input.
    pub(super) fn call<'a>(&'static self, context: &Context<'a>, given: &[Value<'a>]) -> Made<'a> {
        let call = Call {
            context,
            function: self,
            given,
        };
        if given.len() < self.least || given.len() > self.most {
            return Err(call.wrong("has the wrong number of arguments"));
        }
        (self.run)(&call)
    }
}

/// One call.
struct Call<'v, 'a> {
    context: &'v Context<'a>,
    function: &'static Function,
    given: &'v [Value<'a>],
}

impl<'v, 'a> Call<'v, 'a> {
    fn is_go(&self) -> bool {
        self.context.language == Language::Go
    }

    fn wrong(&self, why: &'static str) -> Problem {
        Problem::Function {
            function: self.function.name,
            why,
        }
    }

    /// The error for a value that the function does not accept: Jinja names the kind of the value,
    /// Go says whether it is missing.
    fn unfit(&self, value: &Value<'_>, jinja: &str, go: &'static str) -> Problem {
        match self.context.language {
            Language::Jinja => value.is_not(&format!("`{}`", self.function.name), jinja),
            Language::Go => self.unfit_in_go(value, go),
        }
    }

    fn unfit_in_go(&self, value: &Value<'_>, why: &'static str) -> Problem {
        value.absence().unwrap_or_else(|| self.wrong(why))
    }

    /// All arguments; the row guarantees their number.
    fn exactly<const N: usize>(&self) -> Result<&'v [Value<'a>; N], Problem> {
        let given = self.given.try_into();
        given.map_err(|_| self.wrong("has the wrong number of arguments"))
    }

    /// The input, which is the last argument.
    fn input(&self) -> &'v Value<'a> {
        self.given.last().unwrap_or(&Value::Null)
    }

    /// One of the arguments; nothing if it was left out, which only Jinja allows.
    fn argument(&self, index: usize) -> Option<&'v Value<'a>> {
        let given = self.given.get(index);
        given.filter(|value| self.is_go() || !matches!(value, Value::Missing(_)))
    }

    fn flag(&self, index: usize) -> bool {
        self.argument(index).is_some_and(|value| self.holds(value))
    }

    fn holds(&self, value: &Value<'_>) -> bool {
        self.context.is_true(value)
    }

    /// The bytes of a text. Jinja accepts every printable value as text, Go only texts.
    fn bytes(&self, value: &'v Value<'a>) -> Result<&'v [u8], Problem> {
        let fits = !self.is_go() || matches!(value, Value::Text(_));
        let bytes = value.bytes().filter(|_| fits);
        bytes.ok_or_else(|| self.unfit(value, "text", "takes text here"))
    }

    fn text(&self, value: &'v Value<'a>) -> Result<&'v str, Problem> {
        let why = "takes UTF-8 text, and this value is none";
        let text = std::str::from_utf8(self.bytes(value)?);
        text.map_err(|_| self.unfit(value, "text", why))
    }

    /// The printed form of a single value; in Jinja it must be UTF-8.
    fn plain(&self, value: &'v Value<'a>) -> Result<&'v [u8], Problem> {
        match self.context.language {
            Language::Jinja => self.text(value).map(str::as_bytes),
            Language::Go => value
                .bytes()
                .ok_or_else(|| self.unfit_in_go(value, "takes single values")),
        }
    }

    fn items(&self, value: &'v Value<'a>) -> Result<&'v [Value<'a>], Problem> {
        if let Value::List(items) = value {
            return Ok(items);
        }
        Err(match self.context.language {
            Language::Jinja => self.unfit(value, "a list", "takes a list"),
            Language::Go => self.wrong("takes a list"),
        })
    }

    fn integer(&self, value: &Value<'a>) -> Result<i64, Problem> {
        let wanted = "two whole numbers (text becomes one with `int`)";
        let number = value.integer();
        number.ok_or_else(|| self.unfit(value, wanted, "takes a number here"))
    }

    fn count(&self, value: &Value<'a>) -> Result<usize, Problem> {
        let count = self.integer(value)?.try_into();
        count.map_err(|_| self.wrong("takes a number that is not negative here"))
    }

    /// Makes a text.
    fn make(&self, fill: impl FnOnce(&mut Buffer) -> Result<(), Problem>) -> Made<'a> {
        let mut buffer = match self.context.language {
            Language::Jinja => Buffer::large(),
            Language::Go => Buffer::small(),
        };
        fill(&mut buffer)?;
        Ok(Value::made(buffer.finish()))
    }
}
