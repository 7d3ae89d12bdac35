//! Two sources of one name, on a real API server: a tenant's never gets what another namespace's
//! had first.

use super::brakes::{annotate_lease, command};
use super::estate::{Estate, GIVES};

/// `p/db` gives to `b`; the tenant's `t/db` gives to everybody.
fn contested() -> Estate {
    let mut estate = Estate::new("p t b sentinel sentinel-copy");
    estate.reflector("{}");
    good(&estate);
    estate.holds("b/db", "k=good");
    estate.put("t/db", GIVES, "k=evil");
    estate
}

fn good(estate: &Estate) {
    let to = format!("{GIVES};reflection-auto-namespaces={}", estate.name("b"));
    estate.put("p/db", &to, "k=good");
}

fn is_nobodys(estate: &Estate) {
    estate.holds("b/db", "-");
    estate.settle();
    assert_eq!((estate.held("b/db"), estate.held("p/db")), (None, None));
}

#[test]
fn row_83_a_source_that_is_deleted_and_applied_again_gets_its_copies_back() {
    let estate = contested();
    let give = command(&estate, "t", "Taken", "stands there");
    assert!(give.ends_with(&format!("=secret/{}/db", estate.name("t"))));
    estate.delete("p/db");
    is_nobodys(&estate);
    good(&estate);
    estate.holds("b/db", "k=good");
    assert_eq!(estate.held("p/db").as_deref(), Some("k=good"));
}

#[test]
fn row_85_a_place_stays_who_had_it_first_after_a_restart_until_a_person_decides() {
    let mut estate = contested();
    estate.delete("p/db");
    is_nobodys(&estate);
    estate.reflector("{}");
    is_nobodys(&estate);
    let give = command(&estate, "t", "Reserved", "had this place first");
    annotate_lease(&estate, &give);
    estate.holds("b/db", "k=evil");
    estate.reflector("{}");
    estate.settle();
    assert_eq!(estate.held("b/db").as_deref(), Some("k=evil"));
}

#[test]
fn row_84_nothing_is_copied_to_where_a_source_went_while_nobody_looked() {
    let mut estate = contested();
    estate.settle();
    estate.stop();
    estate.delete("p/db");
    estate.reflector("{}");
    is_nobodys(&estate);
}
