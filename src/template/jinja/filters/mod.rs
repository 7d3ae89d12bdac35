//! The filters of templates: one row each.

mod list;
mod text;

use super::Problem;
use super::value::Value;
use crate::base::meter::Meter;

/// One filter.
pub(super) struct Filter {
    pub name: &'static str,
    pub parameters: &'static [&'static str],
    /// How many of the parameters must be given.
    needed: usize,
    run: Run,
}

type Run = for<'a> fn(&Given<'_, 'a>) -> Result<Value<'a>, Problem>;

/// The whole list: nothing in it reads a file, a clock, the environment or the network.
static FILTERS: [Filter; 22] = [
    row("base64", &[], 0, text::base64),
    row("base64decode", &[], 0, text::base64decode),
    row("default", &["value", "boolean"], 1, default),
    row("first", &[], 0, list::first),
    row("fromJson", &[], 0, list::from_json),
    row("hexdec", &[], 0, text::hexdec),
    row("indent", &["width", "first", "blank"], 0, text::indent),
    row("int", &[], 0, text::int),
    row("items", &[], 0, list::items),
    row("join", &["separator"], 0, list::join),
    row("json", &[], 0, list::json),
    row("last", &[], 0, list::last),
    row("length", &[], 0, list::length),
    row("lower", &[], 0, text::lower),
    row("quote", &[], 0, text::quote),
    row("replace", &["old", "new"], 2, text::replace),
    row("sha256sum", &[], 0, text::sha256sum),
    row("split", &["separator"], 0, list::split),
    row("toYaml", &[], 0, list::to_yaml),
    row("trim", &[], 0, text::trim),
    row("upper", &[], 0, text::upper),
    row("urlencode", &[], 0, text::urlencode),
];

const fn row(
    name: &'static str,
    parameters: &'static [&'static str],
    needed: usize,
    run: Run,
) -> Filter {
    Filter {
        name,
        parameters,
        needed,
        run,
    }
}

/// The names of all filters, for messages.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name)
}

pub(super) fn named(name: &str) -> Option<&'static Filter> {
    FILTERS.iter().find(|filter| filter.name == name)
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Filter {
    /// Whether it provides for an absent operand.
    pub(super) fn allows_absence(&self) -> bool {
        self.name == "default"
    }

    pub(super) fn has_enough<T>(&self, arguments: &[Option<T>]) -> bool {
        arguments.iter().take(self.needed).all(Option::is_some)
    }

    /// How it is written, for a message about its arguments.
    pub(super) fn usage(&self) -> String {
        let Self {
            name,
            parameters,
            needed,
            ..
        } = self;
        match parameters.len() {
            0 => format!("`{name}` takes no arguments"),
            most => format!(
                "`{name}({})` takes {needed} to {most} arguments, none of them empty text",
                parameters.join(", ")
            ),
        }
    }

    pub(super) fn apply<'a>(
        &self,
        input: &Value<'a>,
        arguments: &[Option<Value<'a>>],
        meter: &Meter,
    ) -> Result<Value<'a>, Problem> {
        let given = Given {
            filter: self,
            input,
            arguments,
            meter,
        };
        (self.run)(&given)
    }
}

/// What one call of a filter works with.
struct Given<'v, 'a> {
    filter: &'v Filter,
    input: &'v Value<'a>,
    arguments: &'v [Option<Value<'a>>],
    meter: &'v Meter,
}

impl<'v, 'a> Given<'v, 'a> {
    fn who(&self) -> String {
        format!("`{}`", self.filter.name)
    }

    /// The input as text, and as much of the budget as a copy of it costs.
    fn text(&self) -> Result<&'v str, Problem> {
        let text = self.input.text_for(&self.who())?;
        self.meter.bytes(text.len())?;
        Ok(text)
    }

    /// The same where bytes of any kind will do.
    fn bytes(&self) -> Result<&'v [u8], Problem> {
        let bytes = self.input.bytes_for(&self.who())?;
        self.meter.bytes(bytes.len())?;
        Ok(bytes)
    }

    fn argument(&self, index: usize) -> Option<&'v Value<'a>> {
        self.arguments.get(index)?.as_ref()
    }

    fn text_argument(&self, index: usize) -> Result<Option<&'v str>, Problem> {
        self.argument(index)
            .map(|value| value.text_for(&self.who()))
            .transpose()
    }

    fn flag(&self, index: usize) -> bool {
        self.argument(index).is_some_and(Value::is_true)
    }

    fn wrong_arguments(&self) -> Problem {
        Problem::arguments(self.filter.name, self.filter.usage())
    }

    /// A text that is not what it should be.
    fn is_no(&self, wanted: &'static str) -> Problem {
        Problem::Undecodable {
            filter: self.filter.name,
            wanted,
        }
    }

    fn takes(&self, wanted: &str) -> Problem {
        self.input.is_not(&self.who(), wanted)
    }
}

/// Only the case of a value that is there: the evaluator knows about absent ones.
fn default<'a>(given: &Given<'_, 'a>) -> Result<Value<'a>, Problem> {
    let wanted = match given.argument(0) {
        Some(fallback) if given.flag(1) && !given.input.is_true() => fallback,
        Some(_) | None => given.input,
    };
    Ok(wanted.clone())
}
