//! The sidecar's log: what is news is told once, and what lasts is not told again at each pass.

use std::fs;

use crate::support::process::eventually;
use crate::support::stay::{SOON, Staying, age, age_key, replace};

const VALUE: &str = "c4nary-v4lue-one";

#[test]
fn row_18_a_failure_that_lasts_is_logged_once_and_so_are_its_changes_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("app.env.age");
    let good = || replace(&source, &age(&format!("PASSWORD={VALUE}\n")));
    good();
    let config = format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n- {{name: app, from: [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n- {{name: other, fields: {{a: b}}, to: [{{file: {{path: other.env}}}}]}}\n",
        age_key().display()
    );
    let staying = Staying::start(folder.path(), &config);
    staying.ready();
    let failures = |class: &str| {
        let sample =
            format!("keyferry_delivery_failures_total{{delivery=\"app\",class=\"{class}\"}}");
        staying.metric(&sample)
    };
    replace(&source, b"age-encryption.org/v1\nnonsense");
    eventually("it fails again and again", SOON, || {
        failures("corrupt") >= Some(3.0)
    });
    fs::remove_file(&source).unwrap();
    eventually("it fails for another reason", SOON, || {
        failures("missing") >= Some(2.0)
    });
    good();
    eventually("it recovers", SOON, || {
        !staying.reasons().contains("missing")
    });
    let said = staying.end().expect(0);
    said.assert_no_canary(&[VALUE]);
    let with = |words: [&str; 3]| {
        let told = said.stderr.lines();
        told.filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    };
    let rows = [
        (["ERROR", "failed", "class=corrupt"], 1),
        (["ERROR", "failed", "class=missing"], 1),
        (["INFO", "recovered, after it failed since", "app"], 1),
        (["ERROR", "", ""], 2),
        (["WARN", "failing", ""], 0),
    ];
    for (words, want) in rows {
        assert_eq!(with(words), want, "{words:?} in\n{}", said.stderr);
    }
    assert!(
        with(["DEBUG", "failed as before", "class=corrupt"]) >= 2,
        "{}",
        said.stderr
    );
}
