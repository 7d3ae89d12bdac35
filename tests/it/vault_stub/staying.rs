//! Rows 25 to 28 for a sidecar: whatever comes back, what was delivered stays, it is told, nothing
//! grows, and it recovers.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{GRANTED, JWT, SECRETS, SOON, TOKEN, VALUE, copy, envelope, errors, granted, kv2};
use crate::support::html::elements;
use crate::support::process::{Scratch, eventually};
use crate::support::session::secret_file;
use crate::support::sidecar::RunningSidecar;
use crate::support::stub::{Reply, Request, Stub};
use crate::support::tls::{Authority, Identity};

const OTHER: &str = "c4nary-v4lue-two";

/// What one path answers while all is bad, the class of that, and words of the reason.
struct Row {
    name: &'static str,
    reply: Reply,
    class: &'static str,
    words: &'static str,
}

const fn row(name: &'static str, reply: Reply, class: &'static str, words: &'static str) -> Row {
    Row {
        name,
        reply,
        class,
        words,
    }
}

/// What the server does.
const GOOD: usize = 0;
const BAD: usize = 1;
const GOOD_AGAIN: usize = 2;

/// A server on which each row has a path of its own.
fn provider(rows: &[Row], identity: &Identity, phase: Arc<AtomicUsize>) -> Stub {
    let bad: BTreeMap<String, Reply> = rows
        .iter()
        .map(|row| (row.name.to_owned(), copy(&row.reply)))
        .collect();
    Stub::start_tls(identity, move |request| {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        match (phase.load(Ordering::SeqCst), bad.get(name)) {
            (BAD, Some(reply)) => copy(reply),
            (GOOD_AGAIN, _) => good(request, OTHER, 4),
            (_, _) => good(request, VALUE, 3),
        }
    })
}

fn good(request: &Request, value: &str, version: u64) -> Reply {
    let made = json!({"created_time": "t", "deletion_time": "", "destroyed": false});
    let data = match request.path.contains("/metadata/") {
        true => json!({"current_version": version, "versions": {version.to_string(): made}}),
        false => {
            let mut metadata = made;
            metadata["version"] = version.into();
            json!({"data": {"password": value}, "metadata": metadata})
        }
    };
    Reply::json(200, &envelope(&data))
}

/// One sidecar with a delivery per row: good, bad for some passes, good again.
fn all_rows(rows: &[Row], authority: &Authority) -> (Stub, Vec<Request>) {
    let phase = Arc::new(AtomicUsize::new(GOOD));
    let stub = provider(rows, &authority.issue(&["127.0.0.1"]), Arc::clone(&phase));
    let folder = Scratch::new("sidecar");
    folder.write("ca.crt", authority.pem());
    secret_file(folder.path(), "token", TOKEN);
    // Every other delivery is to say that it is not ready while its provider is down.
    let unready = |index: usize| index % 2 == 1;
    let deliveries: String = rows
        .iter()
        .enumerate()
        .map(|(index, Row { name, .. })| {
            let rule = if unready(index) { "unready" } else { "keep" };
            format!(
                "- {{name: {name}, from: [{{vault: kv/data/{name}}}], to: [{{file: \
                {{path: {name}.env}}}}], onUnavailable: {rule}}}\n"
            )
        })
        .collect();
    let config = format!(
        "vault: {{address: '{}', caFile: ca.crt, auth: {{token: {{file: token}}}}}}\nsidecar: \
         {{refresh: 1s}}\ndeliveries:\n{deliveries}",
        stub.url()
    );
    let sidecar = RunningSidecar::start(folder.path(), &config);
    sidecar.ready();
    let delivered = |name: &str| {
        fs::read_to_string(folder.path().join(format!("{name}.env"))).unwrap_or_default()
    };
    let before = sidecar.weight();

    phase.store(BAD, Ordering::SeqCst);
    let line = |name: &str| {
        let reasons = sidecar.reasons();
        let line = reasons
            .lines()
            .find(|line| line.starts_with(&format!("{name}: ")));
        line.unwrap_or_default().to_owned()
    };
    let failures = |Row { name, class, .. }: &Row| {
        let sample =
            format!("keyferry_delivery_failures_total{{delivery=\"{name}\",class=\"{class}\"}}");
        sidecar.metric(&sample).unwrap_or_default()
    };
    for (index, row) in rows.iter().enumerate() {
        eventually(row.name, SOON, || failures(row) >= 3.0);
        let line = line(row.name);
        assert!(line.contains(row.words), "{}: {line}", row.name);
        let ready = !(unready(index) && row.class == "unavailable");
        assert_eq!(line.contains("not ready"), !ready, "{line}");
        assert!(delivered(row.name).contains(VALUE), "{} stays", row.name);
    }
    let during = sidecar.weight();
    let seen = stub.seen();

    phase.store(GOOD_AGAIN, Ordering::SeqCst);
    for row in rows {
        eventually(row.name, SOON, || delivered(row.name).contains(OTHER));
    }
    sidecar.ready();
    // What is written is told of a moment later.
    eventually("no failure is told any more", SOON, || {
        !sidecar.reasons().contains(" old; ")
    });
    // A connection per delivery may be open, and a thread or two read files.
    for weight in [during, sidecar.weight()] {
        assert!(
            weight.files <= before.files + rows.len() + 4 && weight.threads <= before.threads + 4,
            "{before:?} {weight:?}"
        );
        assert!(weight.peak_kib < 64 << 10, "{weight:?}");
    }
    let output = sidecar.end().expect(0);
    output.assert_no_canary(&[SECRETS, &[OTHER]].concat());
    (stub, seen)
}

#[test]
fn rows_25_and_28_what_is_no_answer_changes_nothing_that_was_delivered() {
    let text = |body: &str| Reply::text(200, "application/json", body);
    let html = format!("<html>{VALUE}</html>");
    let many = format!(
        r#"{{"request_id":"r","data":[{}"{VALUE}"]}}"#,
        "0,".repeat(200_000)
    );
    let deep = format!(
        r#"{{"request_id":"r","data":{}"{VALUE}"{}}}"#,
        "{\"a\":".repeat(100),
        "}".repeat(100)
    );
    let cut = |length, body: &str| Reply::Cut {
        length,
        body: body.into(),
    };
    let half = format!(r#"{{"data":{{"a":"{VALUE}"#);
    const NOT_VAULT: &str = "not a Vault answer";
    let rows = [
        row("endless", Reply::Endless, "refused", "larger than 4 MiB"),
        row(
            "promise",
            cut(1 << 40, VALUE),
            "refused",
            "larger than 4 MiB",
        ),
        row("many", text(&many), "refused", "more than 100000 values"),
        row("deep", text(&deep), "refused", "deeper than 64 levels"),
        row(
            "html",
            Reply::text(200, "text/html", &html),
            "unavailable",
            NOT_VAULT,
        ),
        row(
            "html-404",
            Reply::text(404, "text/html", &html),
            "unavailable",
            NOT_VAULT,
        ),
        row(
            "html-403",
            Reply::text(403, "text/html", &html),
            "unavailable",
            NOT_VAULT,
        ),
        row("empty", text(""), "unavailable", NOT_VAULT),
        row(
            "foreign",
            Reply::json(404, &json!({"message": VALUE})),
            "unavailable",
            NOT_VAULT,
        ),
        row(
            "no-data",
            Reply::json(
                200,
                &envelope(&json!({"data": null, "metadata": {"version": 3}})),
            ),
            "unavailable",
            NOT_VAULT,
        ),
        row("cut", cut(500, &half), "unavailable", NOT_VAULT),
        row(
            "no-http",
            Reply::Raw(format!("220 {VALUE} ready\r\n").into()),
            "unavailable",
            NOT_VAULT,
        ),
        row(
            "nothing",
            Reply::Raw(Vec::new()),
            "unavailable",
            "closed before an answer",
        ),
    ];
    all_rows(&rows, &Authority::new());
}

#[test]
fn row_27_a_redirect_is_not_followed_and_what_was_delivered_stays() {
    let authority = Authority::new();
    let elsewhere = Stub::start(|_| kv2());
    let elsewhere_tls = Stub::start_tls(&authority.issue(&["127.0.0.1"]), |_| kv2());
    let to = |location: &str| Reply::json(307, &json!({})).with("Location", location);
    let rows = [
        row(
            "plain",
            to(&format!("{}/v1/x", elsewhere.url())),
            "unavailable",
            "redirect refused",
        ),
        row(
            "foreign",
            to(&format!("{}/v1/x", elsewhere_tls.url())),
            "unavailable",
            "redirect refused",
        ),
        row("nowhere", to(""), "unavailable", "redirect refused"),
    ];
    all_rows(&rows, &authority);
    assert_eq!(
        (elsewhere.connections(), elsewhere_tls.connections()),
        (0, 0)
    );
}

#[test]
fn row_26_a_busy_server_is_asked_less_and_less() {
    let busy = |wait: Option<&str>| {
        let reply = errors(429, &["rate limit quota exceeded"]);
        match wait {
            Some(wait) => reply.with("Retry-After", wait),
            None => reply,
        }
    };
    let rows = [
        row("plain", busy(None), "unavailable", "vault is busy (429)"),
        row(
            "second",
            busy(Some("1")),
            "unavailable",
            "vault is busy (429)",
        ),
        row(
            "past",
            busy(Some("Wed, 21 Oct 2015 07:28:00 GMT")),
            "unavailable",
            "vault is busy (429)",
        ),
        row(
            "words",
            busy(Some("soon")),
            "unavailable",
            "vault is busy (429)",
        ),
    ];
    let (_stub, seen) = all_rows(&rows, &Authority::new());
    let asked = |name: &str| seen.iter().filter(|seen| seen.path.ends_with(name)).count();
    for row in &rows {
        let asked = asked(row.name);
        assert!(asked <= 20, "{}: {asked} requests", row.name);
    }
}

/// A sidecar with one delivery, which logs in to this server.
fn logging_in(folder: &Scratch, stub: &Stub) -> RunningSidecar {
    secret_file(folder.path(), "jwt", JWT);
    let config = format!(
        "vault: {{address: '{}', auth: {{jwt: {{role: app, tokenFile: jwt}}}}}}\ndeliveries: \
         [{{name: app, from: [{{vault: kv/data/app}}], to: [{{file: {{path: app.env}}}}]}}]\n",
        stub.url()
    );
    RunningSidecar::start(folder.path(), &config)
}

#[test]
fn row_26_a_login_is_not_made_again_before_the_server_wants_it() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let stub = Stub::start(move |request| {
        if !request.path.ends_with("/login") {
            return good(request, VALUE, 3);
        }
        let mut times = seen.lock().expect("no test panics in here");
        times.push(Instant::now());
        match times.len() {
            1 => errors(429, &["rate limit quota exceeded"]).with("Retry-After", "4"),
            _ => granted(GRANTED, 600),
        }
    });
    let folder = Scratch::new("sidecar");
    let sidecar = logging_in(&folder, &stub);
    sidecar.ready();
    let times = times.lock().expect("no test panics in here").clone();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_secs(4));
}

#[test]
fn the_page_says_whether_the_last_login_was_granted() {
    let phase = Arc::new(AtomicUsize::new(BAD));
    let now = Arc::clone(&phase);
    let stub = Stub::start(move |request| {
        match (request.path.ends_with("/login"), now.load(Ordering::SeqCst)) {
            (false, _) => good(request, VALUE, 3),
            (true, BAD) => errors(403, &["permission denied"]),
            (true, _) => granted(GRANTED, 600),
        }
    });
    let folder = Scratch::new("sidecar");
    let sidecar = logging_in(&folder, &stub);
    let shown = |words: &str| {
        let answer = sidecar.raw("GET", "/");
        let (_, page) = answer.split_once("\r\n\r\n").expect("a head");
        let articles = elements(page).into_iter();
        let mut articles = articles.filter(|element| element.tag == "article");
        articles.any(|article| article.text == format!("vault default {words}"))
    };
    eventually("it failed", SOON, || shown("the last login failed"));
    phase.store(GOOD, Ordering::SeqCst);
    eventually("it was granted", SOON, || shown("logged in"));
    sidecar.ready();
    let said = sidecar.raw("GET", "/");
    SECRETS
        .iter()
        .for_each(|secret| assert!(!said.contains(secret)));
}
