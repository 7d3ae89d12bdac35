//! The picture of a session shows what the program says today.

use std::fs;
use std::path::Path;

use crate::support::run::{Run, binary};

#[test]
fn the_recorded_session_is_what_the_program_says() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    let folder = tempfile::tempdir().unwrap();
    let fresh = folder.path().join("session.svg");
    Run::of("python3")
        .args([&pictures.join("make"), &fresh])
        .env("KEYFERRY_BIN", binary())
        .run()
        .expect(0);
    let (fresh, stored) = (
        fs::read_to_string(fresh).unwrap(),
        fs::read_to_string(pictures.join("session.svg")).unwrap(),
    );
    let differs = fresh.lines().zip(stored.lines()).find(|(a, b)| a != b);
    assert!(
        fresh == stored,
        "make it again: docs/pictures/make; first difference: {differs:?}"
    );
    // Light and dark, and nothing of the machine that made it.
    assert!(fresh.contains("@media (prefers-color-scheme: dark)"));
    for of_the_machine in ["/tmp", "/home", "/root", "/work", "target/debug"] {
        assert!(!fresh.contains(of_the_machine), "{of_the_machine}");
    }
    for shown in [
        "5 to change",
        "5 created",
        "nothing changed",
        "error:",
        "hint:",
    ] {
        assert!(fresh.contains(shown), "{shown}");
    }
}
