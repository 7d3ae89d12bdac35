//! The tables of functions.

use super::choose::{coalesce, default, default_of_go, fail, not, ternary};
use super::compare::{equal, equal_to_any, greater, greater_or_equal, is_in, less, less_or_equal};
use super::compare::{unequal, unequal_of_one_kind};
use super::json::{compact, html_safe, pretty, raw};
use super::{Function, Run, decode, list, number, print, text};

const fn row(
    name: &'static str,
    parameters: &'static [&'static str],
    least: usize,
    most: usize,
    run: Run,
) -> Function {
    Function {
        name,
        parameters,
        least,
        most,
        takes_nothing: false,
        takes_mapping: false,
        run,
    }
}

/// A filter of Jinja. The evaluator passes a value for each parameter, and then the input.
const fn filter(
    name: &'static str,
    parameters: &'static [&'static str],
    needed: usize,
    run: Run,
) -> Function {
    Function {
        takes_mapping: true,
        ..row(name, parameters, needed, parameters.len() + 1, run)
    }
}

/// The same function, but its input may be missing.
const fn of_nothing(function: Function) -> Function {
    Function {
        takes_nothing: true,
        ..function
    }
}

pub(in crate::template) static FILTERS: &[Function] = &[
    filter("base64", &[], 0, text::base64),
    filter("base64decode", &[], 0, decode::base64_spaced),
    of_nothing(filter("default", &["value", "boolean"], 1, default)),
    filter("first", &[], 0, list::first),
    filter("fromJson", &[], 0, decode::json),
    filter("hexdec", &[], 0, decode::hex_digits),
    filter("indent", &["width", "first", "blank"], 0, text::indent_rest),
    filter("int", &[], 0, number::int),
    filter("items", &[], 0, list::items),
    filter("join", &["separator"], 0, list::join),
    filter("json", &[], 0, compact),
    filter("last", &[], 0, list::last),
    filter("length", &[], 0, list::length),
    filter("lower", &[], 0, text::lower),
    filter("quote", &[], 0, text::quote_for_shell),
    filter("replace", &["old", "new"], 2, text::replace),
    filter("sha256sum", &[], 0, text::sha256sum),
    filter("split", &["separator"], 0, list::split),
    filter("toYaml", &[], 0, decode::to_yaml),
    filter("trim", &[], 0, text::trim),
    filter("upper", &[], 0, text::upper),
    filter("urlencode", &[], 0, text::urlencode),
];

pub(in crate::template) static TESTS: &[Function] = &[
    of_nothing(row("defined", &[], 0, 1, list::is_defined)),
    of_nothing(row("undefined", &[], 0, 1, list::is_undefined)),
    row("startingwith", &["text"], 1, 2, text::has_prefix),
    row("endingwith", &["text"], 1, 2, text::has_suffix),
];

/// Jinja's operators.
pub(in crate::template) mod operators {
    use super::*;

    const fn binary(name: &'static str, run: Run) -> Function {
        row(name, &[], 2, 2, run)
    }

    pub(in crate::template) static NOT: Function = row("not", &[], 1, 1, not);
    pub(in crate::template) static NEGATIVE: Function = row("-", &[], 1, 1, number::negative);
    pub(in crate::template) static EQUAL: Function = binary("==", equal);
    pub(in crate::template) static UNEQUAL: Function = binary("!=", unequal);
    pub(in crate::template) static LESS: Function = binary("<", less);
    pub(in crate::template) static LESS_OR_EQUAL: Function = binary("<=", less_or_equal);
    pub(in crate::template) static GREATER: Function = binary(">", greater);
    pub(in crate::template) static GREATER_OR_EQUAL: Function = binary(">=", greater_or_equal);
    pub(in crate::template) static IN: Function = binary("in", is_in);
    pub(in crate::template) static CONCAT: Function = binary("~", text::concat);
    pub(in crate::template) static ADD: Function = binary("+", number::add);
    pub(in crate::template) static SUBTRACT: Function = binary("-", number::subtract);
    pub(in crate::template) static MULTIPLY: Function = binary("*", number::multiply);
    pub(in crate::template) static DIVIDE: Function = binary("//", number::divide);
    pub(in crate::template) static REMAINDER: Function = binary("%", number::remainder);
}

/// A function of Go with this number of arguments.
const fn exactly(name: &'static str, count: usize, run: Run) -> Function {
    row(name, &[], count, count, run)
}

const fn at_least(name: &'static str, least: usize, run: Run) -> Function {
    row(name, &[], least, usize::MAX, run)
}

/// `and` and `or` are not in this table, because they do not evaluate all their arguments.
pub(in crate::template) static FUNCTIONS: &[Function] = &[
    // Functions of Go.
    exactly("not", 1, not),
    at_least("eq", 2, equal_to_any),
    exactly("ne", 2, unequal_of_one_kind),
    exactly("lt", 2, less),
    exactly("le", 2, less_or_equal),
    exactly("gt", 2, greater),
    exactly("ge", 2, greater_or_equal),
    exactly("index", 2, list::index),
    exactly("len", 1, list::len),
    at_least("print", 0, print::print),
    at_least("println", 0, print::println),
    at_least("printf", 1, print::printf),
    at_least("html", 0, print::html),
    at_least("urlquery", 0, print::urlquery),
    // Functions of sprig: defaults and choices.
    at_least("default", 1, default_of_go),
    exactly("empty", 1, not),
    at_least("coalesce", 0, coalesce),
    exactly("ternary", 3, ternary),
    at_least("fail", 0, fail),
    // Texts.
    exactly("trim", 1, text::trim),
    exactly("trimAll", 2, text::trim_all),
    exactly("trimPrefix", 2, text::trim_prefix),
    exactly("trimSuffix", 2, text::trim_suffix),
    exactly("upper", 1, text::upper_as_go),
    exactly("lower", 1, text::lower_as_go),
    exactly("replace", 3, text::replace),
    exactly("repeat", 2, text::repeat),
    exactly("trunc", 2, text::trunc),
    exactly("nospace", 1, text::nospace),
    exactly("indent", 2, text::indent),
    exactly("nindent", 2, text::nindent),
    at_least("quote", 0, print::quote),
    at_least("squote", 0, print::squote),
    at_least("cat", 0, print::cat),
    exactly("toString", 1, print::print),
    exactly("atoi", 1, number::atoi),
    exactly("contains", 2, text::contains),
    exactly("hasPrefix", 2, text::has_prefix),
    exactly("hasSuffix", 2, text::has_suffix),
    // Encodings.
    exactly("b64enc", 1, text::base64),
    exactly("b64dec", 1, decode::base64_as_go),
    exactly("toJson", 1, html_safe),
    exactly("mustToJson", 1, html_safe),
    exactly("toRawJson", 1, raw),
    exactly("mustToRawJson", 1, raw),
    exactly("toPrettyJson", 1, pretty),
    exactly("mustToPrettyJson", 1, pretty),
    exactly("sha1sum", 1, text::sha1sum),
    exactly("sha256sum", 1, text::sha256sum),
    exactly("sha512sum", 1, text::sha512sum),
    // Lists.
    at_least("list", 0, list::list),
    exactly("join", 2, list::join),
    exactly("splitList", 2, list::split),
    exactly("first", 1, list::first),
    exactly("last", 1, list::last),
];
