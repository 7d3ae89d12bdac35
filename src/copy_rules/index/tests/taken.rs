//! Two sources of one name: the source that had a place first keeps it until a person decides
//! otherwise.

use super::super::super::marks;
use super::model::{GIVES, Model, place, rules};
use super::to;

/// `platform/db` and a tenant's source of the same name, and copies of the first in `b` and `c`.
fn contested() -> Model {
    let mut model = Model::new(rules(), "b c platform tenant");
    model.put("platform/db", &to("b,c"), "good");
    model.settle();
    model.put("tenant/db", GIVES, "evil");
    model.settle();
    assert_eq!(model.copies(), "b/db=good c/db=good");
    model
}

/// The actions, sorted, because their order does not matter.
fn sorted(done: &str) -> String {
    let mut steps: Vec<&str> = done.split(", ").collect();
    steps.sort_unstable();
    steps.join(", ")
}

fn was_told(model: &Model, what: &str) -> bool {
    model.told.iter().any(|told| told == what)
}

#[test]
fn row_83_a_source_that_is_deleted_and_applied_again_keeps_its_copies() {
    let mut model = contested();
    assert!(
        was_told(&model, "tenant/db: b/db Taken"),
        "{:?}",
        model.told
    );
    model.delete("platform/db");
    assert_eq!(
        sorted(&model.later(1)),
        "delete b/db (its source is gone), delete c/db (its source is gone)"
    );
    assert_eq!(model.later(600), "", "the places are not the tenant's");
    assert!(
        was_told(&model, "tenant/db: c/db Reserved"),
        "{:?}",
        model.told
    );
    model.put("platform/db", &to("b,c"), "better");
    let made = "create b/db (new), create c/db (new)";
    assert_eq!(sorted(&model.done()), made);
    assert_eq!(model.copies(), "b/db=better c/db=better");
}

#[test]
fn row_83_a_withdrawn_copy_is_deleted_and_not_handed_on() {
    let mut model = contested();
    model.put("platform/db", &to("b"), "good");
    assert_eq!(
        model.later(1),
        "delete c/db (its source no longer gives to this namespace)"
    );
    assert_eq!(model.later(600), "");
    model.put("platform/db", &to("b,c"), "good");
    assert_eq!(model.done(), "create c/db (new)");
}

#[test]
fn row_83_a_copy_that_its_namespace_deletes_is_made_of_the_same_source() {
    let mut model = contested();
    // Now the tenant's source is the older one.
    model.delete("platform/db");
    model.later(1);
    model.put("platform/db", &to("b,c"), "good");
    model.settle();
    model.delete("b/db");
    assert_eq!(model.done(), "create b/db (it was deleted)");
    assert_eq!(model.copies(), "b/db=good c/db=good");
}

#[test]
fn row_84_a_place_where_a_source_stood_is_not_written_as_a_copy() {
    let mut model = contested();
    assert!(
        was_told(&model, "tenant/db: platform/db Occupied"),
        "{:?}",
        model.told
    );
    model.delete("platform/db");
    assert!(!model.done().contains("platform/db"), "it may come back");
    assert!(
        was_told(&model, "tenant/db: platform/db Reserved"),
        "{:?}",
        model.told
    );
    model.later(6);
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "also after a restart");
}

#[test]
fn row_84_a_source_that_went_while_nobody_looked_keeps_its_place_by_its_copies() {
    let mut model = contested();
    model.objects.remove(&place("platform/db"));
    model.restart(rules());
    assert_eq!(
        sorted(&model.log.join(", ")),
        "delete b/db (its source is gone), delete c/db (its source is gone)"
    );
    assert_eq!(model.later(600), "");
}

#[test]
fn row_85_who_had_a_place_first_keeps_it_after_a_restart_until_a_person_decides() {
    let mut model = contested();
    model.delete("platform/db");
    model.later(1);
    model.restart(rules());
    assert_eq!(model.log.join(", "), "", "what was reserved is remembered");
    assert!(
        was_told(&model, "tenant/db: b/db Reserved"),
        "{:?}",
        model.told
    );
    model.order(marks::GIVE, "secret/tenant/other");
    assert_eq!(model.done(), "", "another source");
    model.order(marks::GIVE, "secret/tenant/db");
    assert_eq!(
        sorted(&model.done()),
        "create b/db (new), create c/db (new), create platform/db (new)"
    );
    model.later(6);
    model.restart(rules());
    assert_eq!(model.log.join(", "), "");
    model.delete("platform/db");
    model.put("platform/db", &to("b,c"), "late");
    model.later(1);
    assert_eq!(
        model.copies(),
        "b/db=evil c/db=evil",
        "now it is the tenant's"
    );
}

#[test]
fn row_85_a_person_hands_over_copies_of_a_source_that_still_gives() {
    let mut model = contested();
    model.order(marks::GIVE, "secret/tenant/db");
    assert_eq!(
        sorted(&model.done()),
        "update b/db (it has another source now), update c/db (it has another source now)"
    );
    assert_eq!(model.copies(), "b/db=evil c/db=evil");
    model.later(6);
    model.restart(rules());
    assert_eq!(model.log.join(", "), "");
}

#[test]
fn two_sources_of_one_name_share_the_namespaces_that_only_one_gives_to() {
    let mut model = Model::new(rules(), "a b c d");
    model.put("a/x", &to("c"), "1");
    model.put("b/x", &to("c,d"), "2");
    model.settle();
    assert_eq!(model.copies(), "c/x=1 d/x=2");
}
