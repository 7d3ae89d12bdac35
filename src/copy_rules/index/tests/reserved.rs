//! Notes of reserved places: they are written, read again, and bounded.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::place::ObjectPlace;
use super::super::reserved_places::Reserved;
use super::model::{SECRET, place};

fn owner(reserved: &Reserved, at: &str) -> Option<String> {
    let owner = reserved.owner(SECRET, &place(at));
    owner.map(ToString::to_string)
}

#[test]
fn row_85_what_is_written_down_is_read_again() {
    let mut reserved = Reserved::default();
    for (at, owner) in [("b/db", "a"), ("c/db", "a"), ("a/db", "a"), ("b/x.y", "c")] {
        reserved.reserve(SECRET, &place(at), &owner.into());
    }
    reserved.reserve(SECRET, &place("c/db"), &"d".into());
    let (change, text) = reserved.begin_write();
    assert_eq!(text, "secret/a/db=a,b;secret/d/db=c;secret/c/x.y=b;");
    assert!(!reserved.has_saved(change));
    reserved.end_write(change, true, Duration::ZERO);
    assert!(reserved.has_saved(change));
    let mut again = Reserved::default();
    again.read(&format!("{text}nonsense;pod/a/b=c"), &mut |name| {
        name.into()
    });
    assert_eq!(again.begin_write().1, text);
    assert_eq!(owner(&again, "c/db").as_deref(), Some("d"));
    again.free_namespace(&"b".into());
    assert_eq!(again.begin_write().1, "secret/a/db=a;secret/d/db=c;");
    assert!(again.has_any(SECRET, &place("a/db")));
    assert!(!again.has_any(SECRET, &place("c/x.y")));
}

#[test]
fn row_85_who_has_many_places_pushes_out_nobody_elses() {
    let mut reserved = Reserved::default();
    reserved.reserve(SECRET, &place("b/db"), &"platform".into());
    let tenant: Arc<str> = "tenant".into();
    for number in 0..3000 {
        let name = format!("{number:0>100}");
        reserved.reserve(SECRET, &ObjectPlace::new("tenant", name), &tenant);
    }
    assert_eq!(owner(&reserved, "b/db").as_deref(), Some("platform"));
    let (_, text) = reserved.begin_write();
    assert!(
        (150 << 10..=192 << 10).contains(&text.len()),
        "{}",
        text.len()
    );
}

#[test]
fn what_nothing_waits_for_is_written_together_a_while_later() {
    let mut reserved = Reserved::default();
    let now = Duration::from_secs;
    assert_eq!(reserved.due(false, now(1)), None);
    reserved.reserve(SECRET, &place("b/db"), &"a".into());
    assert_eq!(reserved.due(false, now(1)), Some(now(6)));
    assert_eq!(reserved.due(false, now(4)), Some(now(6)), "since then");
    assert_eq!(reserved.due(true, now(4)), Some(now(1)), "a deletion waits");
    let (change, _) = reserved.begin_write();
    assert_eq!(reserved.due(true, now(5)), None, "it is under way");
    reserved.end_write(change, false, now(5));
    assert_eq!(reserved.due(true, now(6)), Some(now(10)), "after a failure");
}
