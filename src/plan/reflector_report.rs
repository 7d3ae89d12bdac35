//! Shows what `reflector` would do: one line or entry for each place where something would happen,
//! or is asked for without success.

use std::fmt::Write;

use serde_json::{Value, json};

use super::report_entry::{failure_document, line};
use crate::base::failure::Failure;
use crate::base::style::Style;
use crate::copy_rules::place::ObjectPlace;
use crate::copy_rules::planned_copies::{Foreseen, Foresight};

/// Its name in lists beside deliveries.
pub(super) const NAME: &str = "reflector";

pub(super) fn text(out: &mut String, style: Style, foreseen: &Result<Foresight, Failure>) {
    let _ = writeln!(out, "{NAME}");
    let foresight = match foreseen {
        Ok(foresight) => foresight,
        Err(failure) => return line(out, style, "fail", "", failure.class.word()),
    };
    for step in &foresight.steps {
        let place = format!("{} {}", step.kind, step.place);
        line(out, style, step.act.word(), &place, &why(step));
    }
    for (kind, at, what) in &foresight.remarks {
        line(out, style, "note", &format!("{kind} {at}"), what);
    }
    for failure in &foresight.failures {
        line(out, style, "fail", "", failure.class.word());
    }
    let _ = writeln!(out, "  {:<9}{} as they should be", "keep", foresight.kept);
}

/// The source and the reason.
pub(super) fn why(step: &Foreseen) -> String {
    let of = |source: &ObjectPlace| format!("of {source}; ");
    let of = step.source.as_ref().map(of).unwrap_or_default();
    match step.act.refusal() {
        Some(word) => format!("{of}{} [{word}]", step.act.why()),
        None => format!("{of}{}", step.act.why()),
    }
}

pub(super) fn document(foreseen: &Result<Foresight, Failure>) -> Value {
    let foresight = match foreseen {
        Ok(foresight) => foresight,
        Err(failure) => return json!({"failure": failure_document(failure)}),
    };
    let remarks = foresight.remarks.iter().map(|(kind, at, what)| {
        json!({"kind": kind.name(), "namespace": *at.namespace, "name": *at.name, "what": what})
    });
    json!({
        "steps": foresight.steps.iter().map(step_document).collect::<Vec<_>>(),
        "kept": foresight.kept,
        "remarks": remarks.collect::<Vec<_>>(),
        "failures": foresight.failures.iter().map(failure_document).collect::<Vec<_>>(),
    })
}

fn step_document(step: &Foreseen) -> Value {
    let mut document = json!({
        "kind": step.kind.name(),
        "namespace": *step.place.namespace,
        "name": *step.place.name,
        "action": step.act.word(),
        "reason": step.act.why(),
    });
    if let Some(source) = &step.source {
        document["source"] = json!({"namespace": *source.namespace, "name": *source.name});
    }
    if let Some(word) = step.act.refusal() {
        document["refused"] = json!(word);
    }
    if let Some(outlook) = step.act.outlook() {
        document["contentDiffers"] = json!(!outlook.same);
    }
    document
}
