//! One entry of a plan that is shown: a line for a person, a failure for a program.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::base::failure::Failure;
use crate::base::printable;
use crate::base::style::{Style, Tone};

pub(super) fn line(out: &mut String, style: Style, word: &str, place: &str, why: &str) {
    let separator = if place.is_empty() || why.is_empty() {
        ""
    } else {
        ": "
    };
    let tone = match word {
        "create" | "make" => Tone::New,
        "keep" | "wait" | "leave" => Tone::Quiet,
        "delete" | "fail" | "refuse" => Tone::Bad,
        _ => Tone::Changed,
    };
    let word = style.paint(tone, &format!("{word:<9}"));
    let rest = format!("{place}{separator}{why}");
    let _ = writeln!(out, "  {word}{}", printable::line(&rest));
}

pub(super) fn failure_document(failure: &Failure) -> Value {
    json!({"class": failure.class.word(), "reason": failure.what, "hint": failure.hint})
}
