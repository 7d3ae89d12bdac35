//! The functions: Go's own and sprig's, those that give the same for the same and read nothing but
//! their arguments.

use std::rc::Rc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};

use super::Problem;
use super::eval::State;
use super::value::{Buffer, Text, TooLarge, Value};

mod compare;
mod json;
mod list;
mod print;
mod text;

macro_rules! functions {
    ($($variant:ident $name:literal)*) => {
        /// A function that templates may call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($variant),* }

        impl Function {
            /// The function of this name.
            pub(super) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }




        }
    };
}

functions! {
    // Go's own.
    And "and" Or "or" Not "not" Eq "eq" Ne "ne" Lt "lt" Le "le" Gt "gt" Ge "ge"
    Index "index" Len "len" Print "print" Println "println" Printf "printf" Html "html"
    Urlquery "urlquery"
    // sprig's: defaults and choices.
    Default "default" Empty "empty" Coalesce "coalesce" Ternary "ternary" Fail "fail"
    // Texts.
    Trim "trim" TrimAll "trimAll" TrimPrefix "trimPrefix" TrimSuffix "trimSuffix" Upper "upper"
    Lower "lower"
    Replace "replace" Repeat "repeat" Trunc "trunc" Nospace "nospace" Indent "indent"
    Nindent "nindent"
    Quote "quote" Squote "squote" Cat "cat" ToString "toString" Atoi "atoi"
    Contains "contains" HasPrefix "hasPrefix" HasSuffix "hasSuffix"
    // Encodings.
    B64enc "b64enc" B64dec "b64dec" ToJson "toJson" MustToJson "mustToJson" ToRawJson "toRawJson"
    MustToRawJson "mustToRawJson" ToPrettyJson "toPrettyJson" MustToPrettyJson "mustToPrettyJson"
    Sha1sum "sha1sum" Sha256sum "sha256sum" Sha512sum "sha512sum"
    // Lists.
    List "list" Join "join" SplitList "splitList" First "first" Last "last"
}

/// What one function does with its arguments.
type Made<'a> = Result<Value<'a>, Problem>;

/// Calls a function.
pub(super) fn call<'a>(state: &State<'a>, function: Function, arguments: &[Value<'a>]) -> Made<'a> {
    Call {
        state,
        function,
        arguments,
    }
    .run()
}

struct Call<'s, 'a> {
    state: &'s State<'a>,
    function: Function,
    arguments: &'s [Value<'a>],
}

impl<'s, 'a> Call<'s, 'a> {
    fn run(&self) -> Made<'a> {
        use Function as F;
        match self.function {
            F::And | F::Or => self.wrong("is not called so"),
            F::Not => Ok(Value::Bool(!self.state.is_true(self.one()?))),
            F::Eq => self.equal_to_any(),
            F::Ne => {
                let [a, b] = self.exactly()?;
                Ok(Value::Bool(!self.equal(a, b)?))
            }
            F::Lt => self.compared(|order| order.is_lt()),
            F::Le => self.compared(|order| order.is_le()),
            F::Gt => self.compared(|order| order.is_gt()),
            F::Ge => self.compared(|order| order.is_ge()),
            F::Index => self.index(),
            F::Len => self.len(),
            F::Print => self.printed(false),
            F::Println => self.printed(true),
            F::Printf => self.formatted(),
            F::Html => self.escaped(super::print::html),
            F::Urlquery => self.escaped(super::print::query),
            F::Default => self.default(),
            F::Empty => Ok(Value::Bool(!self.state.is_true(self.one()?))),
            F::Coalesce => self.coalesce(),
            F::Ternary => self.ternary(),
            F::Fail => self.wrong("was called"),
            F::Trim => self.trim(),
            F::TrimAll => self.trim_all(),
            F::TrimPrefix => self.trim_prefix(),
            F::TrimSuffix => self.trim_suffix(),
            F::Upper => self.cased(true),
            F::Lower => self.cased(false),
            F::Replace => self.replace(),
            F::Repeat => self.repeat(),
            F::Trunc => self.trunc(),
            F::Nospace => self.nospace(),
            F::Indent => self.indent(false),
            F::Nindent => self.indent(true),
            F::Quote => self.quote(),
            F::Squote => self.squote(),
            F::Cat => self.cat(),
            F::ToString => self.to_text(),
            F::Atoi => self.atoi(),
            F::Contains => self.found(|text, part| text.contains(part)),
            F::HasPrefix => self.found(|text, part| text.starts_with(part)),
            F::HasSuffix => self.found(|text, part| text.ends_with(part)),
            F::B64enc => self.b64enc(),
            F::B64dec => self.b64dec(),
            F::ToJson | F::MustToJson => self.json(json::Style::HtmlSafe),
            F::ToRawJson | F::MustToRawJson => self.json(json::Style::Raw),
            F::ToPrettyJson | F::MustToPrettyJson => self.json(json::Style::Pretty),
            F::Sha1sum => self.hash(&SHA1_FOR_LEGACY_USE_ONLY),
            F::Sha256sum => self.hash(&SHA256),
            F::Sha512sum => self.hash(&SHA512),
            F::List => Ok(Value::List(Rc::new(self.arguments.to_vec()))),
            F::Join => self.join(),
            F::SplitList => self.split_list(),
            F::First => self.end_of_list(|items| items.first()),
            F::Last => self.end_of_list(|items| items.last()),
        }
    }

    fn wrong<T>(&self, why: &'static str) -> Result<T, Problem> {
        Err(Problem::Function {
            function: self.function.name(),
            why,
        })
    }

    fn exactly<const N: usize>(&self) -> Result<&'s [Value<'a>; N], Problem> {
        match self.arguments.try_into() {
            Ok(arguments) => Ok(arguments),
            Err(_) => self.wrong("has the wrong number of arguments"),
        }
    }

    fn one(&self) -> Result<&'s Value<'a>, Problem> {
        self.exactly::<1>().map(|[only]| only)
    }

    fn bytes(&self, value: &'s Value<'a>) -> Result<&'s [u8], Problem> {
        match value {
            Value::Text(text) => Ok(text.bytes()),
            Value::Missing(name) => Err(Problem::Unknown(name.to_string())),
            Value::Int(_) | Value::Bool(_) | Value::List(_) | Value::Data => {
                self.wrong("takes text here")
            }
        }
    }

    fn text(&self, value: &'s Value<'a>) -> Result<&'s str, Problem> {
        match std::str::from_utf8(self.bytes(value)?) {
            Ok(text) => Ok(text),
            Err(_) => self.wrong("takes UTF-8 text, and this value is none"),
        }
    }

    fn count(&self, value: &'s Value<'a>) -> Result<usize, Problem> {
        match self.int(value)?.try_into() {
            Ok(count) => Ok(count),
            Err(_) => self.wrong("takes a number that is not negative here"),
        }
    }

    fn int(&self, value: &'s Value<'a>) -> Result<i64, Problem> {
        match value {
            Value::Int(number) => Ok(*number),
            Value::Missing(name) => Err(Problem::Unknown(name.to_string())),
            Value::Text(_) | Value::Bool(_) | Value::List(_) | Value::Data => {
                self.wrong("takes a number here")
            }
        }
    }

    fn make(&self, fill: impl FnOnce(&mut Buffer) -> Result<(), TooLarge>) -> Made<'a> {
        let mut buffer = Buffer::default();
        fill(&mut buffer)?;
        Ok(Value::made(buffer.finish()))
    }

    /// A single value as `%v` prints it.
    fn plain(&self, value: &'s Value<'a>, into: &mut Buffer) -> Result<(), Problem> {
        match value {
            Value::Text(text) => into.push(text.bytes())?,
            Value::Int(number) => into.push(number.to_string().as_bytes())?,
            Value::Bool(value) => into.push(value.to_string().as_bytes())?,
            Value::Missing(name) => return Err(Problem::Unknown(name.to_string())),
            Value::List(_) | Value::Data => return self.wrong("takes single values"),
        }
        Ok(())
    }

    fn default(&self) -> Made<'a> {
        match self.arguments {
            [_, given, ..] if self.state.is_true(given) => Ok(given.clone()),
            [default, ..] => Ok(default.clone()),
            [] => self.wrong("has the wrong number of arguments"),
        }
    }

    fn coalesce(&self) -> Made<'a> {
        match self
            .arguments
            .iter()
            .find(|value| self.state.is_true(value))
        {
            Some(value) => Ok(value.clone()),
            None => self.wrong("found nothing that is not empty"),
        }
    }

    fn ternary(&self) -> Made<'a> {
        match self.exactly()? {
            [yes, _, Value::Bool(true)] => Ok(yes.clone()),
            [_, no, Value::Bool(false)] => Ok(no.clone()),
            _ => self.wrong("takes `true` or `false` as its last argument"),
        }
    }

    fn index(&self) -> Made<'a> {
        match self.exactly()? {
            [Value::Data, key @ Value::Text(Text::Written(_))] => {
                Ok(self.state.lookup_written(self.text(key)?))
            }
            // A computed name may hold a secret, so it is not told.
            [Value::Data, key] => Ok(self.state.lookup(self.text(key)?).unwrap_or_else(|| {
                Value::Missing(Rc::from("value of the name that is computed here"))
            })),
            [Value::List(items), at] => match items.get(self.count(at)?) {
                Some(item) => Ok(item.clone()),
                None => self.wrong("asks for an item that is not there"),
            },
            _ => self.wrong("takes `.` and a name, or a list and a number"),
        }
    }

    fn len(&self) -> Made<'a> {
        let length = match self.one()? {
            Value::Text(text) => text.bytes().len(),
            Value::List(items) => items.len(),
            Value::Data => self.state.data.len(),
            Value::Missing(name) => return Err(Problem::Unknown(name.to_string())),
            Value::Int(_) | Value::Bool(_) => return self.wrong("takes text or a list"),
        };
        Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
    }
}
