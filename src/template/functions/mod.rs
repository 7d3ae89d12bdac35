//! What templates may call: operators, tests and filters of Jinja, functions of Go and of sprig.
//! One row each, and what means the same in both languages is one function. Nothing in it reads a
//! file, a clock, the environment or the network.

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

/// One row.
pub(super) struct Function {
    pub name: &'static str,
    /// The names of its arguments, where the language has any.
    pub parameters: &'static [&'static str],
    /// How many arguments it must be given.
    pub least: usize,
    /// How many it can be given.
    most: usize,
    /// Whether its input may be nothing.
    pub takes_nothing: bool,
    /// Whether all data come as one mapping, each of them looked at.
    pub takes_mapping: bool,
    run: Run,
}

/// What comes of a call.
type Made<'a> = Result<Value<'a>, Problem>;

type Run = for<'a> fn(&Call<'_, 'a>) -> Made<'a>;

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// The row of this name.
    pub(super) fn named(table: &'static [Self], name: &str) -> Option<&'static Self> {
        table.iter().find(|function| function.name == name)
    }

    /// That these are not its arguments, in Jinja.
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

    /// Calls it with its arguments, of which the last is what it works on.
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

    /// That a value is not what the function takes: Jinja tells what it is, Go whether it is there.
    fn unfit(&self, value: &Value<'_>, jinja: &str, go: &'static str) -> Problem {
        match self.context.language {
            Language::Jinja => value.is_not(&format!("`{}`", self.function.name), jinja),
            Language::Go => self.unfit_in_go(value, go),
        }
    }

    fn unfit_in_go(&self, value: &Value<'_>, why: &'static str) -> Problem {
        value.absence().unwrap_or_else(|| self.wrong(why))
    }

    /// All arguments, whose number the row gives.
    fn exactly<const N: usize>(&self) -> Result<&'v [Value<'a>; N], Problem> {
        let given = self.given.try_into();
        given.map_err(|_| self.wrong("has the wrong number of arguments"))
    }

    /// What it works on.
    fn input(&self) -> &'v Value<'a> {
        self.given.last().unwrap_or(&Value::Null)
    }

    /// One of the arguments; in Jinja it may have been left out.
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

    /// Jinja takes what it can print for text, Go takes texts.
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

    /// What is printed of a single value; in Jinja it is UTF-8.
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

    /// A new text.
    fn make(&self, fill: impl FnOnce(&mut Buffer) -> Result<(), Problem>) -> Made<'a> {
        let mut buffer = match self.context.language {
            Language::Jinja => Buffer::large(),
            Language::Go => Buffer::small(),
        };
        fill(&mut buffer)?;
        Ok(Value::made(buffer.finish()))
    }
}
