//! The brakes in the index: one for each source, one for the cluster.

use super::super::super::marks;
use super::model::{GIVES, Model, place, rules};
use super::to;

/// Two withdrawals of one source neither wait for those of another nor delay them.
#[test]
fn row_94_sources_do_not_wait_for_each_other() {
    let mut model = Model::new(rules(), "a b c d e f");
    for name in ["a/x", "a/y", "a/z"] {
        model.put(name, GIVES, "1");
    }
    model.settle();
    model.put("a/x", &to("d,e,f"), "1");
    assert_eq!(model.done().matches("delete").count(), 2);
    model.put("a/y", &to("d,e,f"), "1");
    assert_eq!(model.later(4).matches("delete").count(), 2, "4 s after");
    model.put("a/y", &to("f"), "1");
    assert_eq!(model.later(4), "", "four of one source within a minute");
    model.put("a/z", "reflection-allowed=true", "1");
    assert_eq!(model.later(1), "", "all five of another one");
    assert_eq!(model.index.held(), 5);
    model.put("a/x", &to("e,f"), "1");
    assert_eq!(model.later(1).matches("delete").count(), 1);
    assert_eq!(
        model.later(60),
        "delete d/y (its source no longer gives to this namespace), delete e/y (its source no \
         longer gives to this namespace)",
        "judged again as a whole"
    );
    assert_eq!(model.index.held(), 5, "time alone releases nothing");
}

#[test]
fn row_94_a_source_that_comes_back_within_its_minute_loses_nothing() {
    let mut model = Model::new(rules(), "a b c d e f");
    model.put("a/x", GIVES, "1");
    model.settle();
    model.delete("a/x");
    assert_eq!(model.later(1), "");
    assert_eq!(model.index.held(), 5);
    model.put("a/x", GIVES, "2");
    assert_eq!(model.later(1).matches("update").count(), 5);
    assert_eq!(model.index.held(), 0);
}

#[test]
fn row_95_many_sources_that_vanish_are_held_and_others_wait_for_the_minute() {
    let mut model = Model::new(rules(), "a b");
    for number in 0..6 {
        model.put(&format!("a/x{number}"), GIVES, "1");
    }
    model.settle();
    for number in 0..4 {
        model.objects.remove(&place(&format!("a/x{number}")));
    }
    model.relist();
    model.put("a/x4", "reflection-allowed=true", "1");
    assert_eq!(model.done(), "");
    assert_eq!(model.index.held(), 4, "{:?}", model.told);
    assert_eq!(model.later(59), "");
    assert_eq!(
        model.later(1),
        "delete b/x4 (its source no longer gives to this namespace)"
    );
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "nor does a restart release them");
    model.order(marks::RELEASE, "secret/a/x2:1");
    assert_eq!(model.done(), "delete b/x2 (its source is gone)");
    model.order(marks::RELEASE, "all:3");
    assert_eq!(model.done().matches("delete").count(), 3);
}
