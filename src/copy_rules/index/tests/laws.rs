//! Laws that hold after any sequence of events.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::super::metadata::EMBERSTACK;
use super::super::super::place::ObjectPlace;
use super::model::{GIVES, Model, Object, place, rules};

#[derive(Debug, Clone)]
pub(super) enum Act {
    Give(&'static str, usize, &'static str, u8),
    Remove(&'static str, usize),
    Edit(usize, usize),
    Lose(usize, usize),
    Label(usize, bool),
    Relist,
    Restart,
    Wait,
}

const SPACES: [&str; 4] = ["a", "b", "c", "d"];

pub(super) fn act() -> impl Strategy<Value = Act> {
    let scope = prop_oneof![
        Just("b"),
        Just("b,c"),
        Just("[a-c]"),
        Just("("),
        Just(""),
        Just("labels")
    ];
    prop_oneof![
        4 => (givers(), 0..2_usize, scope, any::<u8>())
            .prop_map(|(from, name, scope, data)| Act::Give(from, name, scope, data)),
        2 => (givers(), 0..2_usize).prop_map(|(from, name)| Act::Remove(from, name)),
        2 => (0..4_usize, 0..2_usize).prop_map(|(at, name)| Act::Edit(at, name)),
        2 => (0..4_usize, 0..2_usize).prop_map(|(at, name)| Act::Lose(at, name)),
        2 => (0..4_usize, any::<bool>()).prop_map(|(at, on)| Act::Label(at, on)),
        1 => Just(Act::Relist),
        1 => Just(Act::Restart),
        2 => Just(Act::Wait),
    ]
}

/// A source and its rival of the same name.
fn givers() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("a"), 2 => Just("r")]
}

fn name(number: usize) -> String {
    format!("s{number}")
}

pub(super) fn perform(model: &mut Model, act: &Act) {
    match act {
        Act::Give(from, number, scope, data) => {
            let notes = match *scope {
                "labels" => format!("{GIVES};reflection-auto-namespaces-selector=on=yes"),
                scope => format!("{GIVES};reflection-allowed-namespaces={scope}"),
            };
            let at = format!("{from}/{}", name(*number));
            model.put(&at, &notes, &data.to_string());
        }
        Act::Remove(from, number) => {
            let at = format!("{from}/{}", name(*number));
            if model.objects.contains_key(&place(&at)) {
                model.delete(&at);
            }
        }
        Act::Edit(at, of) | Act::Lose(at, of) => {
            let at = format!("{}/{}", SPACES[*at], name(*of));
            if !model
                .objects
                .get(&place(&at))
                .is_some_and(|object| object.marked)
            {
                return;
            }
            if let Act::Lose(..) = act {
                model.delete(&at);
            } else {
                model.edit(&at, |copy| {
                    (copy.data, copy.writer) = ("edited".to_owned(), "kubectl")
                });
            }
        }
        Act::Label(at, on) => model.namespace(SPACES[*at], if *on { "on=yes" } else { "" }),
        Act::Relist => model.relist(),
        Act::Restart => {
            // By then the reserved places were written down.
            drop(model.later(6));
            model.restart(rules());
        }
        Act::Wait => drop(model.later(5)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// After any events, all copies have the content of their sources, foreign objects are
    /// unchanged, and a second pass finds nothing to do.
    #[test]
    fn it_converges_and_then_rests(acts in prop::collection::vec(act(), 1..30)) {
        let mut model = Model::new(rules(), "a b c d r");
        model.put("d/s0", "", "a stranger");
        let stranger = model.objects[&place("d/s0")].clone();
        for act in &acts {
            perform(&mut model, act);
        }
        for _ in 0..10 {
            drop(model.later(700));
            model.release_all();
        }
        for (at, copy) in &model.objects {
            if !copy.marked {
                continue;
            }
            let source = model.objects.get(&source_of(copy));
            prop_assert!(source.is_some(), "{at} has no source: {acts:?}");
            let source = source.expect("checked above");
            let frozen = source.notes.values().any(|value| value == "(");
            prop_assert!(frozen || source.data == copy.data, "{at} is not equal: {acts:?}");
        }
        prop_assert_eq!(&model.objects[&place("d/s0")], &stranger);
        model.relist();
        prop_assert_eq!(model.later(700), "", "it rests");
        let before = model.objects.clone();
        model.restart(rules());
        let held = model.index.held();
        prop_assert_eq!(held, 0);
        prop_assert_eq!(before, model.objects, "another process writes nothing");
    }

    /// Without an order no copy ever changes to a source in another namespace, and no copy is made
    /// at a place where a source stood.
    #[test]
    fn row_83_who_had_a_place_first_keeps_it(acts in prop::collection::vec(act(), 1..40)) {
        let mut model = Model::new(rules(), "a b c d r");
        let (mut firsts, mut stood) = (BTreeMap::new(), BTreeSet::new());
        for act in &acts {
            perform(&mut model, act);
            if let Act::Give(from, number, ..) = act {
                stood.insert(place(&format!("{from}/{}", name(*number))));
            }
            drop(model.done());
            model.release_all();
            drop(model.done());
            for (at, copy) in model.objects.iter().filter(|(_, object)| object.marked) {
                let first = firsts.entry(at.clone()).or_insert_with(|| source_of(copy));
                prop_assert_eq!(&source_of(copy), first, "{} changed hands: {:?}", at, acts);
                prop_assert!(!stood.contains(at), "a source stood at {}: {:?}", at, acts);
            }
        }
    }
}

fn source_of(copy: &Object) -> ObjectPlace {
    place(&copy.notes[&format!("{EMBERSTACK}reflects")])
}

#[test]
fn row_94_a_held_copy_that_somebody_edits_stays_held() {
    let mut model = Model::new(rules(), "a b c d r");
    let withdrawn = [
        Act::Give("a", 1, "", 0),
        Act::Wait,
        Act::Give("a", 1, "labels", 0),
        Act::Wait,
    ];
    for act in &withdrawn {
        perform(&mut model, act);
    }
    assert_eq!(model.index.held(), 4);
    perform(&mut model, &Act::Edit(1, 1));
    drop(model.later(6));
    assert_eq!(model.index.held(), 4);
    model.release_all();
    drop(model.later(6));
    assert!(!model.objects.values().any(|object| object.marked));
}
