//! A plan for people (text), programs (JSON) and pull requests (Markdown): names, keys, sizes and
//! reasons, never values.

use std::fmt::Write;

use serde_json::{Value, json};

use super::prune;
use super::reflector_report;
use super::report_entry::{failure_document, line};
use super::{Action, Change, DeliveryPlan, KeyChange, Plan, Step};
use crate::base::artifact::{Artifact, Provenance};
use crate::base::failure::Failure;
use crate::base::printable;
use crate::base::style::{Style, Tone};

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PlanFormat {
    /// Lines for a person.
    Text,
    /// One JSON document.
    Json,
    /// A table for a pull request.
    Markdown,
}

/// Shows a plan; only the text format is ever coloured.
pub fn show(plan: &Plan, format: PlanFormat, style: Style) -> String {
    match format {
        PlanFormat::Text => text(plan, style),
        PlanFormat::Json => format!("{:#}\n", document(plan)),
        PlanFormat::Markdown => markdown(plan),
    }
}

fn text(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    for DeliveryPlan {
        delivery,
        held,
        steps,
    } in &plan.deliveries
    {
        let held = held.as_ref().map(|held| format!(" ({held})"));
        let title = format!("{delivery}{}", held.unwrap_or_default());
        let _ = writeln!(out, "{}", printable::line(&title));
        match steps {
            Err(failure) => line(&mut out, style, "fail", "", failure.class.word()),
            Ok(steps) => {
                for step in steps {
                    // The reason of a failure is printed as a separate error below the plan.
                    let why = if let Action::Refuse(failure) = &step.action {
                        failure.class.word().to_owned()
                    } else {
                        why(step)
                    };
                    line(&mut out, style, step.action.word(), &target(step), &why);
                    for key in &step.changes() {
                        let shown =
                            style.paint(tone_of(key.change), &printable::line(&key_line(key)));
                        let _ = writeln!(out, "             {shown}");
                    }
                }
            }
        }
    }
    if let Some(foreseen) = &plan.reflector {
        reflector_report::text(&mut out, style, foreseen);
    }
    let (changes, failures) = count(plan);
    let verdict = match (changes, failures) {
        (0, 0) => "nothing to do".to_owned(),
        (changes, 0) => format!("{changes} to change"),
        (changes, failures) => format!("{changes} to change, {failures} that cannot be done"),
    };
    let _ = writeln!(out, "{verdict}");
    out
}

/// The wanted artifact, a Secret with its type.
fn target(step: &Step) -> String {
    match &step.artifact {
        Artifact::Secret(secret) => format!("{} ({})", step.artifact, secret.kind),
        Artifact::File(_)
        | Artifact::FileSet(_)
        | Artifact::PullSecret(_)
        | Artifact::Leftover(_) => step.artifact.to_string(),
    }
}

fn tone_of(change: Change) -> Tone {
    match change {
        Change::Added => Tone::New,
        Change::Changed => Tone::Changed,
        Change::Removed => Tone::Bad,
        Change::Same => Tone::Quiet,
    }
}

fn key_line(key: &KeyChange) -> String {
    let sign = sign(key.change);
    match key.size {
        Some(size) => format!("{sign} {} ({size} bytes)", key.key),
        None => format!("{sign} {}", key.key),
    }
}

fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Changed => '~',
        Change::Removed => '-',
        Change::Same => '=',
    }
}

fn why(step: &Step) -> String {
    match &step.action {
        Action::Keep | Action::Create | Action::Wait => String::new(),
        Action::Delete => prune::why(&step.artifact).to_owned(),
        Action::Update(reason) | Action::Recreate(reason) => step.because(reason),
        Action::Refuse(failure) => reason_of(failure),
    }
}

fn reason_of(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{} [{}]; {hint}", failure.what, failure.class),
        None => format!("{} [{}]", failure.what, failure.class),
    }
}

fn count(plan: &Plan) -> (usize, usize) {
    let changes = plan.steps().filter(|step| step.action.is_change()).count();
    let refused = plan
        .steps()
        .filter(|step| matches!(step.action, Action::Refuse(_)))
        .count();
    let unknown = plan
        .deliveries
        .iter()
        .filter(|delivery| delivery.steps.is_err())
        .count();
    let (mut foreseen, mut unforeseen) = (0, 0);
    match &plan.reflector {
        Some(Ok(foresight)) => {
            foreseen = plan.copies().filter(|copy| copy.is_change()).count();
            unforeseen = foresight.failures.len();
        }
        Some(Err(_)) => unforeseen = 1,
        None => {}
    }
    (changes + foreseen, refused + unknown + unforeseen)
}

fn document(plan: &Plan) -> Value {
    let deliveries: Vec<Value> = plan.deliveries.iter().map(delivery_document).collect();
    let mut document = json!({"changes": plan.has_changes(), "deliveries": deliveries});
    if let Some(foreseen) = &plan.reflector {
        document["reflector"] = reflector_report::document(foreseen);
    }
    document
}

fn delivery_document(plan: &DeliveryPlan) -> Value {
    let DeliveryPlan {
        delivery,
        held,
        steps,
    } = plan;
    let mut document = match steps {
        Err(failure) => json!({"name": delivery, "failure": failure_document(failure)}),
        Ok(steps) => {
            let steps: Vec<Value> = steps.iter().map(step_document).collect();
            json!({"name": delivery, "steps": steps})
        }
    };
    if let Some(held) = held {
        document["held"] = json!(held);
    }
    document
}

fn step_document(step: &Step) -> Value {
    let keys: Vec<Value> = step
        .keys()
        .iter()
        .map(|key| json!({"key": key.key, "size": key.size, "change": word(key.change)}))
        .collect();
    let mut document = json!({
        "target": step.artifact.to_string(),
        "action": step.action.word(),
        "keys": keys,
    });
    if let Artifact::Secret(secret) = &step.artifact {
        document["type"] = json!(secret.kind);
        document["provenance"] = provenance(&secret.provenance);
    }
    match &step.action {
        Action::Keep | Action::Create | Action::Wait => {}
        Action::Delete => document["reason"] = json!(prune::why(&step.artifact)),
        Action::Update(reason) | Action::Recreate(reason) => {
            document["reason"] = json!(reason.to_string());
            document["notes"] = json!(step.notes);
        }
        Action::Refuse(failure) => document["failure"] = failure_document(failure),
    }
    document
}

fn provenance(of: &Provenance) -> Value {
    let Provenance {
        configuration,
        delivery,
        sources,
    } = of;
    json!({"configuration": configuration.as_str(), "delivery": delivery, "sources": sources})
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Changed => "changed",
        Change::Removed => "removed",
        Change::Same => "same",
    }
}

fn markdown(plan: &Plan) -> String {
    let mut out =
        String::from("| delivery | target | action | keys | why |\n|---|---|---|---|---|\n");
    for DeliveryPlan {
        delivery,
        held,
        steps,
    } in &plan.deliveries
    {
        if let Some(held) = held {
            row(&mut out, delivery, "", "note", &[], held);
        }
        match steps {
            Err(failure) => row(&mut out, delivery, "", "fail", &[], &reason_of(failure)),
            Ok(steps) => {
                for step in steps {
                    let keys: Vec<String> = step.changes().iter().map(key_line).collect();
                    let (target, word) = (target(step), step.action.word());
                    row(&mut out, delivery, &target, word, &keys, &why(step));
                }
            }
        }
    }
    match &plan.reflector {
        Some(Err(failure)) => row(
            &mut out,
            reflector_report::NAME,
            "",
            "fail",
            &[],
            &reason_of(failure),
        ),
        Some(Ok(foresight)) => {
            for step in &foresight.steps {
                let place = format!("{} {}", step.kind, step.place);
                let (word, why) = (step.act.word(), reflector_report::why(step));
                row(&mut out, reflector_report::NAME, &place, word, &[], &why);
            }
            for (kind, at, what) in &foresight.remarks {
                let place = format!("{kind} {at}");
                row(&mut out, reflector_report::NAME, &place, "note", &[], what);
            }
        }
        None => {}
    }
    out
}

/// One row. `action` is one of our words; every other text may contain names from outside.
fn row(out: &mut String, delivery: &str, target: &str, action: &str, keys: &[String], why: &str) {
    let keys: Vec<String> = keys.iter().map(|key| printable::code(key)).collect();
    let (delivery, target, why) = (
        printable::code(delivery),
        printable::code(target),
        printable::code(why),
    );
    let keys = keys.join("<br>");
    for cell in [&delivery, &target, action, &keys, &why] {
        let _ = write!(out, "| {cell} ");
    }
    out.push_str("|\n");
}
