use super::*;

/// Ten sources with ten copies each, unless a test sets another number of copies.
struct Of {
    copies: usize,
    sources: usize,
}

impl CopyCounts for Of {
    fn copies(&self, _: &Source) -> usize {
        self.copies
    }

    fn sources(&self) -> usize {
        self.sources
    }
}

fn brake() -> Brake {
    Brake::new(Limits::default(), Duration::from_secs(1))
}

fn source(name: &str) -> Source {
    (CopiedKind::Secret, ObjectPlace::new("a", name))
}

fn place(name: &str, number: usize) -> ObjectPlace {
    ObjectPlace::new(format!("n{number}"), name)
}

fn add(brake: &mut Brake, name: &str, numbers: std::ops::Range<usize>, now: u64) {
    for number in numbers {
        let now = Duration::from_secs(now);
        brake.add(&source(name), place(name, number), false, now);
    }
}

/// A source is gone, and so are two copies of it.
fn vanish(brake: &mut Brake, name: &str, now: u64) {
    for number in 0..2 {
        let now = Duration::from_secs(now);
        brake.add(&source(name), place(name, number), true, now);
    }
}

fn release(brake: &mut Brake, name: &str, count: usize, now: u64) {
    let order = Order::Release(source(name), count);
    brake.release(&order, Duration::from_secs(now));
}

fn judged(brake: &mut Brake, (copies, sources): (usize, usize), now: u64) -> String {
    let BrakeVerdict { go, held } = brake.judge(&Of { copies, sources }, Duration::from_secs(now));
    let mut lines = Vec::new();
    for name in ["x", "y", "z", "v0", "v1", "v2", "v3", "v4"] {
        let count = go.iter().filter(|(_, place)| &*place.name == name).count();
        if count > 0 {
            lines.push(format!("{name}: {count} go"));
        }
    }
    lines.extend(held.iter().map(|held| {
        let of = (&held.source.1.name, held.places.len());
        match held.mass {
            None => format!("{}: {} held, at most {}", of.0, of.1, held.most),
            Some(Mass { vanished, most }) => {
                format!(
                    "{}: {} held, {vanished} vanished, at most {most}",
                    of.0, of.1
                )
            }
        }
    }));
    lines.join(", ")
}

#[test]
fn row_75_few_go_and_many_are_held() {
    for (copies, deletions, expected) in [
        (3, 3, "x: 3 go"),
        (5, 4, "x: 4 held, at most 3"),
        (100, 20, "x: 20 go"),
        (100, 21, "x: 21 held, at most 20"),
        (1000, 1000, "x: 1000 held, at most 200"),
    ] {
        let mut brake = brake();
        add(&mut brake, "x", 0..deletions, 0);
        let early = judged(&mut brake, (copies, 1), 0);
        assert_eq!(early, "", "it is not quiet yet");
        assert_eq!(judged(&mut brake, (copies, 1), 1), expected);
    }
}

#[test]
fn row_94_each_source_has_its_own_brake() {
    let mut brake = brake();
    add(&mut brake, "x", 0..2, 0);
    assert_eq!(judged(&mut brake, (10, 9), 1), "x: 2 go");
    add(&mut brake, "y", 0..2, 4);
    assert_eq!(judged(&mut brake, (10, 9), 5), "y: 2 go");
    add(&mut brake, "x", 2..7, 6);
    assert_eq!(judged(&mut brake, (10, 9), 7), "x: 5 held, at most 3");
    add(&mut brake, "z", 0..1, 8);
    assert_eq!(judged(&mut brake, (10, 9), 9), "z: 1 go");
    assert_eq!((brake.held(), brake.waiting()), (5, 5));
}

#[test]
fn row_94_what_was_too_much_with_those_before_is_judged_when_the_minute_ends() {
    let mut brake = brake();
    add(&mut brake, "x", 0..2, 0);
    assert_eq!(judged(&mut brake, (10, 1), 1), "x: 2 go");
    add(&mut brake, "x", 2..4, 10);
    assert_eq!(judged(&mut brake, (10, 1), 20), "");
    assert_eq!((brake.held(), brake.waiting()), (0, 2));
    assert_eq!(brake.due(), Some(Duration::from_secs(61)));
    assert_eq!(judged(&mut brake, (10, 1), 61), "x: 2 go");
    add(&mut brake, "x", 4..6, 70);
    assert_eq!(judged(&mut brake, (10, 1), 72), "");
    add(&mut brake, "x", 6..8, 80);
    assert_eq!(
        judged(&mut brake, (10, 1), 81),
        "x: 4 held, at most 3",
        "too much alone: no minute helps"
    );
    assert_eq!(judged(&mut brake, (10, 1), 900), "");
}

#[test]
fn row_96_a_person_releases_one_source_in_the_extent_that_was_looked_at() {
    let mut brake = brake();
    add(&mut brake, "x", 0..5, 0);
    add(&mut brake, "y", 0..6, 0);
    assert_eq!(
        judged(&mut brake, (6, 2), 1),
        "x: 5 held, at most 3, y: 6 held, at most 3"
    );
    release(&mut brake, "x", 4, 2);
    assert_eq!(judged(&mut brake, (6, 2), 2), "", "x has five");
    add(&mut brake, "x", 5..6, 3);
    release(&mut brake, "y", 6, 3);
    assert_eq!(
        judged(&mut brake, (6, 2), 4),
        "y: 6 go, x: 6 held, at most 3"
    );
    release(&mut brake, "x", 5, 5);
    assert_eq!(judged(&mut brake, (6, 2), 5), "", "that was of less");
    release(&mut brake, "x", 6, 6);
    assert_eq!(judged(&mut brake, (6, 2), 6), "x: 6 go");
}

#[test]
fn row_96_a_release_of_all_that_comes_before_the_hold_counts_for_a_minute() {
    for (count, after, expected) in [
        (15, 3, "x: 5 go, y: 10 go"),
        (14, 3, "x: 5 held, at most 3, y: 10 held, at most 3"),
        (15, 70, "x: 5 held, at most 3, y: 10 held, at most 3"),
    ] {
        let mut brake = brake();
        brake.release(&Order::ReleaseAll(count), Duration::ZERO);
        add(&mut brake, "x", 0..5, after - 1);
        add(&mut brake, "y", 0..10, after - 1);
        assert_eq!(
            judged(&mut brake, (10, 2), after),
            expected,
            "{count} {after}"
        );
        // It is used up.
        add(&mut brake, "z", 0..5, after + 1);
        let said = judged(&mut brake, (10, 3), after + 2);
        assert_eq!(said, "z: 5 held, at most 3", "{count} {after}");
    }
}

#[test]
fn row_96_a_release_that_comes_before_the_hold_counts_for_a_minute() {
    let mut brake = brake();
    release(&mut brake, "x", 5, 0);
    release(&mut brake, "y", 5, 0);
    add(&mut brake, "x", 0..5, 1);
    assert_eq!(judged(&mut brake, (5, 2), 2), "x: 5 go");
    add(&mut brake, "y", 0..5, 60);
    assert_eq!(judged(&mut brake, (5, 2), 61), "y: 5 held, at most 3");
}

#[test]
fn row_95_too_many_sources_that_vanish_at_once_stop_all_deletions() {
    let mut brake = brake();
    for (name, now) in [("v0", 0), ("v1", 0), ("v2", 0)] {
        vanish(&mut brake, name, now);
    }
    assert_eq!(
        judged(&mut brake, (2, 8), 1),
        "v0: 2 go, v1: 2 go, v2: 2 go",
        "three may"
    );
    vanish(&mut brake, "v3", 20);
    add(&mut brake, "x", 0..1, 20);
    assert_eq!(
        judged(&mut brake, (2, 8), 22),
        "v3: 2 held, 4 vanished, at most 3"
    );
    vanish(&mut brake, "v4", 50);
    assert_eq!(
        judged(&mut brake, (2, 8), 52),
        "v4: 2 held, 5 vanished, at most 3"
    );
    assert_eq!(
        judged(&mut brake, (2, 8), 61),
        "x: 1 go",
        "who did not vanish waits for the end of the minute"
    );
    assert_eq!(judged(&mut brake, (2, 8), 900), "");
    release(&mut brake, "v3", 2, 901);
    assert_eq!(judged(&mut brake, (2, 8), 901), "v3: 2 go");
    brake.release(&Order::ReleaseAll(1), Duration::from_secs(902));
    assert_eq!(judged(&mut brake, (2, 8), 902), "");
    brake.release(&Order::ReleaseAll(2), Duration::from_secs(903));
    assert_eq!(judged(&mut brake, (2, 8), 903), "v4: 2 go");
}

#[test]
fn row_95_a_fifth_of_many_sources_may_vanish_and_those_that_come_back_did_not() {
    for (sources, expected) in [
        (25, "v0: 2 go, v1: 2 go, v2: 2 go, v3: 2 go, v4: 2 go"),
        (24, "v0: 2 held, 5 vanished, at most 4"),
    ] {
        let mut brake = brake();
        for name in ["v0", "v1", "v2", "v3", "v4"] {
            vanish(&mut brake, name, 0);
        }
        add(&mut brake, "x", 0..1, 0);
        let first = judged(&mut brake, (2, sources), 1);
        assert!(first.contains(expected), "{sources}: {first}");
        if sources == 25 {
            continue;
        }
        for number in 0..2 {
            brake.cancel(CopiedKind::Secret, &place("v1", number));
        }
        assert_eq!(judged(&mut brake, (2, sources), 2), "x: 1 go");
        assert_eq!(brake.held(), 8, "the others still wait for a person");
    }
}

#[test]
fn what_is_no_longer_due_is_not_held() {
    let mut brake = brake();
    add(&mut brake, "x", 0..5, 0);
    assert_eq!(judged(&mut brake, (5, 1), 1), "x: 5 held, at most 3");
    assert_eq!(brake.held(), 5);
    for number in 0..3 {
        brake.cancel(CopiedKind::Secret, &place("x", number));
    }
    assert_eq!(judged(&mut brake, (5, 1), 2), "x: 2 go");
}

/// Sources of one namespace, each with two copies, vanish at this time.
fn vanish_in(brake: &mut Brake, namespace: &str, names: &[&str], now: u64) {
    for name in names {
        let source = (CopiedKind::Secret, ObjectPlace::new(namespace, *name));
        for number in 0..2 {
            let now = Duration::from_secs(now);
            brake.add(&source, place(name, number), true, now);
        }
    }
}

/// The sources are there again.
fn return_all(brake: &mut Brake, names: &[&str]) {
    for name in names {
        for number in 0..2 {
            brake.cancel(CopiedKind::Secret, &place(name, number));
        }
    }
}

#[test]
fn row_95_a_namespace_stops_the_others_once_and_not_minute_by_minute() {
    const OWN: [&str; 4] = ["v0", "v1", "v2", "v3"];
    let mut brake = brake();
    let mut at = 0;
    let mut waited = Vec::new();
    // For two hours the sources of one tenant vanish again and again, four at a time, and another
    // tenant withdraws one copy each minute.
    for minute in 0..120 {
        vanish_in(&mut brake, "tenant", &OWN, at);
        add(&mut brake, "x", minute..minute + 1, at);
        // A source of another tenant that vanishes meanwhile is not held either.
        if minute == 90 {
            vanish(&mut brake, "y", at);
        }
        let mut said = String::new();
        for second in [1, 30, 59] {
            said += &judged(&mut brake, (2, 10), at + second);
        }
        assert!(
            minute > 0 || said.contains("v0: 2 held, 4 vanished, at most 3"),
            "{said}"
        );
        assert!(!said.contains("v0: 2 go"), "its own are held: {said}");
        assert!(minute != 90 || said.contains("y: 2 go"), "{said}");
        if !said.contains("x: ") {
            waited.push(minute);
        }
        return_all(&mut brake, &OWN);
        at += 60;
    }
    assert!(waited.len() <= 4, "it stopped others in minutes {waited:?}");
}

#[test]
fn row_95_what_shrinks_in_two_steps_is_held_both_times() {
    let all = |step: usize| (0..5).map(move |number| (format!("n{number}"), step));
    let mut brake = brake();
    for (step, at) in [(0, 0), (1, 70)] {
        for (namespace, step) in all(step) {
            let name = ["v0", "v1"][step];
            let source = (
                CopiedKind::Secret,
                ObjectPlace::new(namespace.as_str(), name),
            );
            let place = ObjectPlace::new(format!("copy-of-{namespace}"), name);
            brake.add(&source, place, true, Duration::from_secs(at));
        }
        let said = judged(&mut brake, (1, 15), at + 1);
        assert_eq!(
            said.matches("held, 5 vanished, at most 3").count(),
            5,
            "{said}"
        );
        assert!(!said.contains("go"), "{said}");
    }
}
