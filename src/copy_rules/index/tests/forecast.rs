//! A forecast says what a new process would do, and why it leaves the rest alone.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::super::planned_copies::{Act, Foresight, Outlook};
use super::laws::{act, perform};
use super::model::{GIVES, Model, SECRET, content, digest, place, rules};
use crate::base::artifact::ObjectName;
use crate::copy_rules::index::{CopyJob, Event, Forecast, How, Rules};
use crate::copy_rules::place::CopiedKind;
use crate::copy_rules::reason::CopyRefusal;

/// What a new process would do in this cluster.
fn forecast(model: &Model, rules: Rules) -> Foresight {
    let mut forecast = Forecast::new(rules, Arc::clone(&model.keys));
    forecast.index.recall(&model.reserved);
    forecast.index.namespaces_begin();
    for namespace in model.namespaces.values() {
        forecast.index.apply(Event::Namespace(namespace.clone()));
    }
    forecast.index.namespaces_end();
    for kind in CopiedKind::ALL {
        forecast.index.list_begins(kind);
        for place in model.objects.keys().filter(|_| kind == SECRET) {
            forecast.listed(kind, model.metadata(place));
        }
        forecast.index.list_ends(kind, &|_| true, true);
    }
    loop {
        match forecast.next_read() {
            Some(CopyJob::Read { kind, source }) => {
                let content = content(&model.objects[&source]);
                forecast.index.read(kind, &source, content);
            }
            Some(CopyJob::Compare { kind, place, .. }) => {
                let (version, holds) = (
                    model.metadata(&place).resource_version,
                    digest(&model.objects[&place]),
                );
                let now = forecast.now();
                forecast.index.compared(kind, &place, version, holds, now);
            }
            Some(CopyJob::Write(write)) => {
                assert!(!matches!(write.how, How::Create | How::Fill(..)));
                let (copy, source) = (&model.objects[&write.place], &model.objects[&write.source]);
                let same = copy.data == source.data;
                let remade = false;
                forecast.looked(&write, Outlook { same, remade });
            }
            Some(job) => panic!("nothing is deleted: {job:?}"),
            None if forecast.wait() => {}
            None => return forecast.finish(),
        }
    }
}

/// The actions, in the words of the model's log.
fn done(foresight: &Foresight) -> Vec<String> {
    let steps = foresight.steps.iter();
    let mut done: Vec<String> = steps
        .filter(|step| step.is_change() && !matches!(step.act, Act::Hold(..)))
        .map(|step| {
            let why = step.act.why();
            let why = why.split("; ").next().unwrap_or_default();
            format!("{} {} ({why})", step.act.word(), step.place)
        })
        .collect();
    done.sort();
    done
}

fn really_done(model: &mut Model, rules: Rules) -> Vec<String> {
    model.restart(rules);
    let mut done = model.log.clone();
    done.retain(|what| !what.starts_with("compare") && !what.starts_with("refused"));
    done.sort();
    done
}

fn lines(foresight: &Foresight) -> Vec<String> {
    let steps = foresight.steps.iter();
    steps
        .map(|step| {
            let word = step.act.refusal().unwrap_or_default();
            format!("{} {} {word}", step.act.word(), step.place)
        })
        .collect()
}

#[test]
fn each_thing_that_would_happen_is_said_with_its_reason() {
    let mut model = Model::new(rules(), "a b c d e");
    model.put(
        "a/x",
        &format!("{GIVES};reflection-allowed-namespaces=b,c,d"),
        "1",
    );
    model.put(
        "b/x",
        "reflects=a/x;auto-reflects=True;reflected-version=1",
        "1",
    );
    model.put(
        "c/x",
        "reflects=a/x;auto-reflects=True;reflected-version=1",
        "old",
    );
    model.put("d/x", "", "a stranger's");
    model.put(
        "e/x",
        "reflects=a/x;auto-reflects=True;reflected-version=1",
        "1",
    );
    model.put("e/own", "reflects=a/x", "");
    model.put(
        "a/bad",
        &format!("{GIVES};reflection-allowed-namespaces=("),
        "1",
    );
    let foresight = forecast(&model, rules());
    assert_eq!(
        lines(&foresight),
        [
            "adopt b/x ",
            "adopt c/x ",
            "leave d/x Foreign",
            "leave e/own Denied",
            "leave e/x Unclaimed",
        ]
    );
    let same = |number: usize| foresight.steps[number].act.outlook().map(|look| look.same);
    assert_eq!((same(0), same(1)), (Some(true), Some(false)));
    assert_eq!(foresight.remarks.len(), 1, "{:?}", foresight.remarks);
    let before = model.objects.clone();
    assert_eq!(done(&foresight), really_done(&mut model, rules()));
    assert_ne!(model.objects, before);
    let again = forecast(&model, rules());
    assert!(
        !again
            .steps
            .iter()
            .any(super::super::super::planned_copies::Foreseen::is_change)
    );
    assert_eq!(again.kept, 2);
}

#[test]
fn what_the_brake_would_hold_is_said_to_be_held() {
    let mut model = Model::new(rules(), "a b c d e f");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.objects.remove(&place("a/x"));
    let foresight = forecast(&model, rules());
    let held = foresight
        .steps
        .iter()
        .map(|step| (step.act.word(), step.act.why()));
    let why =
        "its source is gone; 5 copies would be deleted at once, and at most 3 are without asking";
    assert_eq!(held.collect::<Vec<_>>(), vec![("hold", why.to_owned()); 5]);
    assert_eq!(really_done(&mut model, rules()), Vec::<String>::new());
    assert_eq!(model.index.held(), 5);
}

#[test]
fn row_96_a_plan_names_the_commands_that_decide() {
    let mut model = Model::new(rules(), "a b c d e f r");
    let to = |names: &str| format!("{GIVES};reflection-allowed-namespaces={names}");
    model.put("a/x", &to("b,c,d,e,f"), "1");
    model.settle();
    model.put("r/x", &to("b,c"), "2");
    model.objects.remove(&place("a/x"));
    let mut foresight = forecast(&model, rules());
    foresight.name_orders(&ObjectName {
        namespace: "keyferry".to_owned(),
        name: "lease".to_owned(),
    });
    let remarks = foresight.remarks.iter();
    let mut commands: Vec<String> = remarks
        .map(|(kind, at, what)| {
            let (_, command) = what.split_once("kubectl ").expect("a command");
            format!("{kind} {at}: {command}")
        })
        .collect();
    commands.sort();
    let lease = "annotate lease -n keyferry lease keyferry.io";
    assert_eq!(
        commands,
        [
            format!("secret a/x: {lease}/release-deletes=secret/a/x:5"),
            format!("secret r/x: {lease}/give-places=secret/r/x"),
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_foreseen_is_what_is_done(acts in prop::collection::vec(act(), 1..30)) {
        let mut model = Model::new(rules(), "a b c d r");
        model.put("d/s0", "", "a stranger");
        for act in &acts {
            perform(&mut model, act);
        }
        let foresight = forecast(&model, rules());
        let held = foresight.steps.iter().filter(|step| matches!(step.act, Act::Hold(..))).count();
        prop_assert_eq!(done(&foresight), really_done(&mut model, rules()));
        prop_assert_eq!(held, model.index.held());
        let left = foresight.steps.iter().filter(|step| matches!(step.act, Act::Leave(_))).count();
        let asked = foresight.rivals.iter();
        let left = left + asked.filter(|(.., why)| matches!(why, CopyRefusal::Reserved(_))).count();
        prop_assert_eq!(held + left, model.index.refusals().values().sum::<usize>());
    }
}
