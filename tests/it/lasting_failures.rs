//! The sidecar leaves people and servers alone: what lasts is told once, and who asks for time gets
//! it.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::process::eventually;
use crate::support::session::secret_file;
use crate::support::sidecar::{RunningSidecar, SOON, age, age_key, replace};
use crate::support::stub::{Reply, Stub};

const VALUE: &str = "c4nary-v4lue-one";

#[test]
fn row_18_a_failure_that_lasts_is_logged_once_and_so_are_its_changes_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("app.env.age");
    let good = || replace(&source, &age(&format!("PASSWORD={VALUE}\n")));
    good();
    let config = format!(
        "keys: {{age: [{{file: {}}}]}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n- \
         {{name: app, from: [{{age: app.env.age}}], to: [{{file: {{path: app.env}}}}]}}\n- \
         {{name: other, fields: {{a: b}}, to: [{{file: {{path: other.env}}}}]}}\n",
        age_key().display()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let failures = |class: &str| {
        let sample =
            format!("keyferry_delivery_failures_total{{delivery=\"app\",class=\"{class}\"}}");
        sidecar.metric(&sample)
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
        !sidecar.reasons().contains("missing")
    });
    let said = sidecar.end().expect(0);
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

#[test]
fn row_26_who_asks_to_be_left_alone_is_by_the_schedule_too_whatever_changes_meanwhile() {
    let busy: [(u16, fn() -> Reply); 2] = [
        (429, || Reply::json(429, &json!({"errors": ["quota"]}))),
        (503, || Reply::text(503, "text/html", "<html>later</html>")),
    ];
    for (status, busy) in busy {
        // Whether the next answer is that it is busy; when it said so, and when it was asked after
        // that.
        let state = Arc::new(Mutex::new((false, None::<Instant>, None::<Instant>)));
        let seen = Arc::clone(&state);
        let stub = Stub::start(move |request| {
            let mut state = seen.lock().unwrap();
            if request.path.contains("/ui/mounts/") {
                let mount = json!({"path": "secret/", "type": "kv", "options": {"version": "1"}});
                return Reply::json(200, &json!({"request_id": "r", "data": mount}));
            }
            if state.0 {
                *state = (false, Some(Instant::now()), None);
                return busy().with("Retry-After", "4");
            }
            let since = state.1;
            state.2 = state.2.or(since.map(|_| Instant::now()));
            Reply::json(
                200,
                &json!({"request_id": "r", "data": {"password": VALUE}}),
            )
        });
        let folder = tempfile::tempdir().unwrap();
        secret_file(folder.path(), "token", "hvs.of-the-test");
        let source = folder.path().join("more.env.age");
        replace(&source, &age("MORE=1\n"));
        let config = format!(
            "vault: {{address: '{}', auth: {{token: {{file: token}}}}}}\nkeys: {{age: [{{file: \
             {}}}]}}\nsidecar: {{refresh: 1s}}\ndeliveries:\n- {{name: app, from: \
             [{{vault: /v1/secret/app}}, {{age: more.env.age}}], to: [{{file: {{path: \
             app.env}}}}]}}\n",
            stub.url(),
            age_key().display()
        );
        let sidecar = RunningSidecar::start(folder.path(), &config);
        sidecar.ready();
        state.lock().unwrap().0 = true;
        eventually("it was busy", SOON, || state.lock().unwrap().1.is_some());
        replace(&source, &age("MORE=2\n"));
        eventually("it is asked again", SOON, || {
            state.lock().unwrap().2.is_some()
        });
        let (_, said, asked) = *state.lock().unwrap();
        let left_alone = asked.unwrap() - said.unwrap();
        assert!(
            left_alone >= Duration::from_millis(3900),
            "{status}: {left_alone:?}"
        );
        eventually("it recovers", SOON, || {
            let delivered = fs::read_to_string(folder.path().join("app.env"));
            delivered.is_ok_and(|text| text.contains("MORE=2"))
        });
    }
}
