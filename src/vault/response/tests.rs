//! The table of answers, row by row.

use crate::base::wiped::WipedBytes;
use http::StatusCode;

use super::*;
use crate::base::failure::Failure;
use crate::vault::error::VaultError;

const CANARY: &str = "canary-v4lue";
const TOKEN: &str = "s.short";

fn judged(status: u16, body: &str) -> Result<Reply, Cause> {
    let answer = Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        retry_after: Some("7".to_owned()),
        body: WipedBytes::from(body.as_bytes().to_vec()),
    };
    interpret(&answer, &[TOKEN])
}

/// Class, whether the failure may pass, whether it is a definitive absence, and words of the text.
type Meaning = (&'static str, bool, bool, &'static str);

fn check(status: u16, body: &str, want: Meaning) {
    let cause = judged(status, body).expect_err(body);
    let passing = cause.is_passing();
    let failure = Failure::from(VaultError::Read {
        server: "s".to_owned(),
        path: "p".to_owned(),
        source: cause.clone(),
    });
    let (class, passes, absent, words) = want;
    assert_eq!(
        (failure.class.word(), passing, failure.absent),
        (class, passes, absent),
        "{status} {body}: {failure}"
    );
    assert!(failure.what.contains(words), "{status} {body}: {failure}");
    let shown = format!("{failure} {failure:?} {cause:?}");
    assert!(!shown.contains(CANARY) && !shown.contains(TOKEN), "{shown}");
}

#[test]
fn every_row_of_the_http_table_has_its_meaning() {
    let deleted = r#"{"request_id":"r","data":{"data":null,"metadata":{"deletion_time":"2026-11-21T07:34:47.7Z","destroyed":false,"version":3}}}"#;
    let destroyed = r#"{"request_id":"r","data":{"data":null,"metadata":{"deletion_time":"","destroyed":true,"version":3}}}"#;
    let v1_on_v2 = r#"{"request_id":"r","data":null,"warnings":["Invalid path for a versioned K/V secrets engine."]}"#;
    let rows: [(u16, &str, Meaning); 28] = [
        (
            404,
            deleted,
            (
                "missing",
                false,
                true,
                "deleted at 2026-11-21T07:34:47.7Z, version 3",
            ),
        ),
        (
            404,
            destroyed,
            ("missing", false, true, "version 3 is destroyed"),
        ),
        (
            404,
            r#"{"errors":[]}"#,
            ("missing", false, true, "nothing is there"),
        ),
        (
            404,
            r#"{"errors":["no handler for route \"x/y\". route entry not found."]}"#,
            ("missing", false, false, "mount not found"),
        ),
        (
            404,
            r#"{"errors":["namespace not found"]}"#,
            ("missing", false, false, "namespace not found"),
        ),
        (
            404,
            r#"{"errors":["unable to find it"]}"#,
            ("missing", false, false, "unable to find it"),
        ),
        (
            404,
            v1_on_v2,
            ("configuration", false, false, "the engine is KV v2"),
        ),
        (
            404,
            "<html>not found canary-v4lue</html>",
            ("unavailable", true, false, "not a Vault answer"),
        ),
        (
            403,
            r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#,
            (
                "denied",
                false,
                false,
                "permission denied: permission denied",
            ),
        ),
        (
            403,
            "<html>canary-v4lue</html>",
            ("unavailable", true, false, "not a Vault answer"),
        ),
        (
            400,
            r#"{"errors":["common name s.short not allowed"]}"#,
            (
                "refused",
                false,
                false,
                "common name <redacted> not allowed",
            ),
        ),
        (
            400,
            r#"{"errors":["Upgrading from non-versioned to versioned data."]}"#,
            ("unavailable", true, false, "Upgrading"),
        ),
        (
            405,
            r#"{"errors":["1 error occurred:\n\t* unsupported operation\n\n"]}"#,
            ("configuration", false, false, "does not answer reads"),
        ),
        (
            412,
            r#"{"errors":["required index state not present"]}"#,
            ("unavailable", true, false, "412"),
        ),
        (
            429,
            r#"{"errors":["request path \"x\": rate limit quota exceeded"]}"#,
            ("unavailable", true, false, "busy"),
        ),
        (429, "too many", ("unavailable", true, false, "busy")),
        (
            500,
            r#"{"errors":["local node not active but active cluster node not found"]}"#,
            ("unavailable", true, false, "no active node"),
        ),
        (
            500,
            r#"{"errors":["internal error"]}"#,
            ("unavailable", true, false, "500: internal error"),
        ),
        (
            502,
            "<html>canary-v4lue</html>",
            ("unavailable", true, false, "502"),
        ),
        (
            503,
            r#"{"errors":["Vault is sealed"]}"#,
            ("unavailable", true, false, "sealed"),
        ),
        (
            503,
            r#"{"errors":["API access to this namespace has been locked"]}"#,
            ("unavailable", true, false, "503"),
        ),
        (
            200,
            "<html>canary-v4lue</html>",
            ("unavailable", true, false, "not a Vault answer"),
        ),
        (200, "", ("unavailable", true, false, "empty")),
        (
            200,
            r#"["canary-v4lue"]"#,
            ("unavailable", true, false, "no JSON of its form"),
        ),
        (
            200,
            "{}",
            ("unavailable", true, false, "JSON of another kind"),
        ),
        (
            200,
            r#"{"value":"canary-v4lue"}"#,
            ("unavailable", true, false, "JSON of another kind"),
        ),
        (
            200,
            r#"{"request_id":"r","lease_duration":"canary-v4lue","data":{}}"#,
            ("unavailable", true, false, "no JSON of its form"),
        ),
        (
            200,
            r#"{"request_id":"r","data":{"a":"canary-v4lue""#,
            ("unavailable", true, false, "no JSON of its form"),
        ),
    ];
    for (status, body, want) in rows {
        check(status, body, want);
    }
    assert!(matches!(
        judged(429, "{}"),
        Err(Cause::Trouble(Outage::Busy { wait: Some(wait) })) if wait.as_secs() == 7
    ));
    assert!(judged(200, "\u{fffd}").is_err() && judged(301, "{}").is_err());
}

#[test]
fn row_25_an_answer_nested_too_deep_is_refused() {
    let nested = |levels: usize| {
        let (open, close) = ("{\"a\":".repeat(levels), "}".repeat(levels));
        format!("{{\"request_id\":\"r\",\"data\":{open}1{close}}}")
    };
    // The envelope itself is the first level.
    assert!(judged(200, &nested(63)).is_ok());
    check(200, &nested(64), ("refused", false, false, "64 levels"));
    check(
        200,
        &nested(200_000),
        ("refused", false, false, "64 levels"),
    );
}

#[test]
fn an_envelope_keeps_its_lease_and_shows_nothing() {
    let body = r#"{"request_id":"r","lease_id":"db/creds/ro/x","lease_duration":3600,"renewable":true,
        "data":{"password":"canary-v4lue"},"warnings":["careful with s.short"],"auth":null,"wrap_info":null}"#;
    let reply = judged(200, body).expect("an answer");
    let lease = Lease {
        id: "db/creds/ro/x".to_owned(),
        seconds: 3600,
        renewable: true,
    };
    assert_eq!(reply.lease, Some(lease));
    assert_eq!(reply.warnings, ["careful with <redacted>"]);
    assert_eq!(reply.data.entry("password"), Some(&Node::text(CANARY)));
    assert!(!format!("{reply:?}").contains(CANARY));
    let nothing = judged(204, "").expect("an answer without a body");
    assert_eq!((nothing.data, nothing.lease), (Node::Null, None));
}
