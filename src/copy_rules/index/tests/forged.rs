//! Objects that a tenant makes look like our copies, and real copies whose key is lost.

use std::sync::Arc;

use super::super::super::signature::{Keys, SIGNATURE};
use super::model::{GIVES, Model, Object, keys, place, rules};

/// A uid that no object has.
const NOBODY: &str = "0f3c9a52-7a57-4d0b-8a4e-0123456789ab";

/// Makes an object that looks like a copy, with a label and a field manager like ours.
fn forge(model: &mut Model, at: &str, source: &str, signature: Option<&str>) {
    let notes =
        format!("reflects={source};auto-reflects=True;reflected-version=7;source-uid={NOBODY}");
    model.put(at, &notes, "theirs");
    model.edit(at, |object| {
        (object.marked, object.writer) = (true, "keyferry");
        let signature = signature.map(|text| (SIGNATURE.to_owned(), text.to_owned()));
        object.notes.extend(signature);
    });
}

fn unsigned(object: &mut Object) {
    object.notes.remove(SIGNATURE).expect("it was signed");
}

#[test]
fn row_86_forged_copies_are_left_and_stop_nothing() {
    for signature in [None, Some("k0:@99999999999:AAAA")] {
        let mut model = Model::new(rules(), "a b c t");
        model.put("a/x", GIVES, "1");
        model.settle();
        for number in 0..200 {
            forge(
                &mut model,
                &format!("t/f{number}"),
                "kube-system/gone",
                signature,
            );
        }
        model.settle();
        assert_eq!(model.index.copies(), 3, "they do not count");
        assert_eq!(model.index.held(), 0, "nor does any of them wait to go");
        model.delete("a/x");
        assert_eq!(
            model.done(),
            "delete b/x (its source is gone), delete c/x (its source is gone), delete t/x (its \
             source is gone)"
        );
        assert_eq!(model.objects.len(), 200, "{signature:?}");
        let told: Vec<&String> = model
            .told
            .iter()
            .filter(|told| !told.starts_with("t/f"))
            .collect();
        assert!(told.is_empty(), "news of them are told at them: {told:?}");
    }
}

#[test]
fn row_86_a_forged_copy_is_not_written_over_and_its_own_news_say_how_it_is_adopted() {
    let mut model = Model::new(rules(), "a b");
    forge(&mut model, "b/x", "a/x", Some("k0:@99999999999:AAAA"));
    model.put("a/x", GIVES, "1");
    assert_eq!(model.done(), "");
    assert_eq!(model.objects[&place("b/x")].data, "theirs");
    assert_eq!(
        model.told.last().map(String::as_str),
        Some("b/x: b/x Unverified")
    );
    model.edit("b/x", unsigned);
    assert_eq!(model.done(), "adopt b/x (it is not signed yet)");
    assert_eq!(model.copies(), "b/x=1");
}

#[test]
fn row_87_a_signature_on_another_object_is_worth_nothing() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("a/y", GIVES, "1");
    model.settle();
    // The tenant of b puts the marks of one of its copies on an object of another name.
    let copy = model.objects[&place("b/x")].clone();
    model.put("b/z", "", "theirs");
    model.edit("b/z", |object| {
        (object.marked, object.notes) = (true, copy.notes.clone());
    });
    model.delete("a/x");
    assert_eq!(
        model.done(),
        "delete b/x (its source is gone), delete c/x (its source is gone)"
    );
    // And makes the deleted object again with the same content.
    model.put("b/x", "", "theirs");
    model.edit("b/x", |object| {
        (object.marked, object.notes) = (true, copy.notes.clone());
    });
    assert_eq!(model.done(), "");
    model.restart(rules());
    assert_eq!(
        model.log.join(", "),
        "",
        "nor does a new process believe it"
    );
    assert_eq!(model.copies(), "b/x=theirs b/y=1 b/z=theirs c/y=1");
    assert_eq!(model.index.copies(), 2);
}

#[test]
fn row_88_what_an_earlier_release_made_is_signed_once_by_the_source_that_still_gives() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("a/gone", GIVES, "1");
    model.settle();
    for at in ["b/x", "c/x", "b/gone", "c/gone"] {
        model.edit(at, unsigned);
    }
    model.objects.remove(&place("a/gone"));
    model.restart(rules());
    model.log.sort();
    assert_eq!(
        model.log.join(", "),
        "adopt b/x (it is not signed yet), adopt c/x (it is not signed yet)"
    );
    assert_eq!(
        model.index.refusals()["Unsigned"],
        2,
        "b/gone and c/gone stay"
    );
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "once");
    model.delete("a/x");
    assert_eq!(
        model.done(),
        "delete b/x (its source is gone), delete c/x (its source is gone)"
    );
}

#[test]
fn row_89_another_key_is_no_reason_to_write() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.keys = keys(2);
    model.restart(rules());
    assert_eq!(
        model.log.join(", "),
        "",
        "what the older key signed is good"
    );
    model.put(
        "a/x",
        &format!("{GIVES};reflection-allowed-namespaces=b,c"),
        "2",
    );
    model.settle();
    let signature = &model.objects[&place("b/x")].notes[SIGNATURE];
    assert!(signature.starts_with("k1:"), "{signature}");
}

#[test]
fn row_90_without_the_key_nothing_is_deleted_or_written_over_until_a_person_says_so() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("a/gone", GIVES, "1");
    model.settle();
    let lost = Arc::clone(&model.keys);
    model.keys = Arc::new(other_keys());
    model.objects.remove(&place("a/gone"));
    model.put("a/x", GIVES, "2");
    model.restart(rules());
    assert_eq!(model.log.join(", "), "");
    assert_eq!(model.index.refusals()["Unverified"], 4);
    assert_eq!(model.index.copies(), 0);

    let kept = model.objects.clone();
    model.keys = lost;
    model.restart(rules());
    assert_eq!(model.copies(), "b/x=2 c/x=2", "the key is found again");

    model.objects = kept;
    model.keys = Arc::new(other_keys());
    for at in ["b/x", "c/x", "b/gone", "c/gone"] {
        model.edit(at, unsigned);
    }
    model.restart(rules());
    assert_eq!(model.copies(), "b/gone=1 b/x=2 c/gone=1 c/x=2");
    assert_eq!(model.index.copies(), 2, "signed with the new key");
}

fn other_keys() -> Keys {
    let key = ("k0".to_owned(), vec![9; 32].into());
    Keys::read(place("keyferry/keyferry-marks"), [key]).expect("long enough")
}

#[test]
fn row_91_in_a_rebuilt_cluster_each_copy_is_signed_again_by_its_source() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", GIVES, "1");
    model.put("a/gone", GIVES, "1");
    model.settle();
    // A backup is restored: the same objects with other uids. One source is missing.
    let before = std::mem::take(&mut model.objects);
    for (at, object) in before {
        if at == place("a/gone") {
            continue;
        }
        model.objects.insert(
            at.clone(),
            Object {
                uid: object.uid + 1000,
                ..object
            },
        );
    }
    model.restart(rules());
    model.log.sort();
    assert_eq!(
        model.log.join(", "),
        "adopt b/x (it is not signed yet), adopt c/x (it is not signed yet)"
    );
    assert_eq!(model.copies(), "b/gone=1 b/x=1 c/gone=1 c/x=1");
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "once");
}

#[test]
fn row_92_the_secret_of_the_keys_is_neither_copied_nor_a_copy() {
    let mut model = Model::new(rules(), "a keyferry c");
    model.put("keyferry/keyferry-marks", GIVES, "key");
    model.put("a/keyferry-marks", GIVES, "theirs");
    model.put("c/own", "reflects=keyferry/keyferry-marks", "");
    assert_eq!(model.done(), "create c/keyferry-marks (new)");
    assert_eq!(model.objects[&place("c/keyferry-marks")].data, "theirs");
    model.delete("keyferry/keyferry-marks");
    assert_eq!(model.done(), "", "nor while it is not there");
}
