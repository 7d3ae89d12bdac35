//! Decisions on an old version of the source: while a watch hears nothing, no value may go to a
//! namespace that lost its permission.

use super::model::{GIVES, Model, place, rules};
use super::to;

#[test]
fn row_98_only_the_version_of_the_source_that_was_decided_on_is_written() {
    let mut model = Model::new(rules(), "a b c");
    model.put("a/x", &to("b,c"), "1");
    model.settle();
    model.unheard = Some("a");
    model.put("a/x", &to("c"), "2");
    model.edit("b/x", |copy| {
        (copy.data, copy.writer) = ("wrong".to_owned(), "kubectl")
    });
    assert_eq!(
        model.later(10),
        "compare b/x, update c/x (its source changed), delete b/x (its source no longer gives to \
         this namespace)",
        "b lost the consent with the newer value"
    );
    model.delete("a/x");
    model.edit("c/x", |copy| {
        (copy.data, copy.writer) = ("wrong".to_owned(), "kubectl")
    });
    assert_eq!(
        model.later(10),
        "compare c/x, delete c/x (its source is gone)"
    );
}

#[test]
fn row_98_an_object_is_not_filled_from_a_version_that_was_not_decided_on() {
    let mut model = Model::new(rules(), "a b");
    model.put("a/x", GIVES, "1");
    model.put("b/own", "reflects=a/x", "");
    model.settle();
    model.unheard = Some("a");
    model.put("a/x", &to("c"), "2");
    model.edit("b/own", |own| {
        (own.data, own.writer) = ("wrong".to_owned(), "kubectl")
    });
    model.later(10);
    assert_eq!(model.objects[&place("b/own")].data, "wrong");
    assert!(
        model.told.contains(&"b/own: b/own Denied".to_owned()),
        "{:?}",
        model.told
    );
}
