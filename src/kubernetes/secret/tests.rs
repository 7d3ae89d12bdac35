//! Secrets on the wire, row by row.

use serde_json::{Value, json};

use super::*;
use crate::base::artifact::Conflict;
use crate::base::failure::{Class, Fault};
use crate::render::testing::provenance;

fn wanted(kind: &str, data: &[(&str, &str)]) -> SecretArtifact {
    let data = data.iter();
    SecretArtifact {
        at: ObjectName {
            namespace: "platform".into(),
            name: "app".into(),
        },
        kind: kind.into(),
        data: data
            .map(|&(key, value)| (key.into(), SecretBytes::from(value)))
            .collect(),
        provenance: provenance(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        immutable: false,
        conflict: Conflict::default(),
    }
}

fn stored(object: &Value) -> Stored {
    serde_json::from_value(object.clone()).expect("a Secret")
}

fn encoded(put: &Put<'_>) -> Value {
    serde_json::from_slice(&put.encode()).expect("what is sent is JSON")
}

#[test]
fn an_apply_names_what_it_was_decided_on() {
    let mut app = wanted("Opaque", &[("user", "u"), ("a.b-c_d", "\u{0}ä\"\\")]);
    app.annotations.insert("note".into(), "n\"".into());
    let mark =
        json!({"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": "test"});
    let notes = json!({
        "note": "n\"",
        "keyferry.io/delivery": "app",
        "keyferry.io/sources": "[{\"source\":\"vault kv/app\",\"version\":\"7\"}]",
    });
    let data = json!({"user": "dQ==", "a.b-c_d": "AMOkIlw="});
    let object = |metadata: Value| json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data});
    assert_eq!(
        encoded(&marked(&app, None)),
        object(
            json!({"name": "app", "namespace": "platform", "labels": mark, "annotations": notes, "resourceVersion": "1"})
        )
    );
    let basis = Basis {
        uid: "u-1".into(),
        version: "7".into(),
        managers: None,
    };
    app.immutable = true;
    let later = Put {
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        ..marked(&app, Some(&basis))
    };
    let mut want = object(
        json!({"name": "app", "namespace": "platform", "uid": "u-1", "resourceVersion": "7"}),
    );
    want["immutable"] = json!(true);
    assert_eq!(encoded(&later), want);
}

#[test]
fn values_are_read_as_bytes_and_garbage_is_no_secret() {
    let meta = r#""metadata":{"uid":"u","resourceVersion":"2"}"#;
    let rows = [
        (r#""data":{"k":"/wA="}"#, Some(vec![0xff, 0])),
        (r#""data":{"k":"aGk\u003d"}"#, Some(b"hi".to_vec())),
        (r#""data":{"k":""}"#, Some(Vec::new())),
        (r#""data":null"#, None),
        (r#""data":{}"#, None),
    ];
    for (data, want) in rows {
        let text = format!("{{{meta},{data}}}");
        let data = serde_json::from_str::<Stored>(&text)
            .expect(&text)
            .into_data();
        assert_eq!(
            data.get("k").map(|value| value.expose().to_vec()),
            want,
            "{text}"
        );
    }
    let call = ApiCall::get(ObjectKind::Secret, &wanted("Opaque", &[]).at);
    let bad = [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"metadata":{"uid":"u","resourceVersion":"2"},"data":{"k":"hunter22!"}}"#,
    ];
    for body in bad {
        let Err(error) = call.read::<Stored>(body.as_bytes(), "a Secret") else {
            panic!("not a Secret: {body}")
        };
        assert_eq!(error.class(), Class::Unavailable, "{body}");
        assert!(!error.to_string().contains("hunter"), "{error}");
    }
}

#[test]
fn what_only_others_own_is_no_difference() {
    let object = json!({
        "type": "Opaque",
        "metadata": {
            "uid": "u", "resourceVersion": "2",
            "labels": {"app.kubernetes.io/managed-by": "keyferry", "theirs": "1", "gone": "1"},
            "annotations": {"theirs": "1", "wanted": "1"},
            "managedFields": [{"manager": "keyferry", "operation": "Apply", "fieldsV1": {
                "f:data": {"f:gone": {}, "f:user": {}}, "f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}, "f:gone": {}}},
            }}],
        },
        "data": {"user": "dQ==", "gone": "dQ==", "theirs": "dQ==", "both": "dQ=="},
    });
    let mut app = wanted("Opaque", &[("user", "u"), ("both", "u")]);
    app.annotations.insert("wanted".into(), "1".into());
    assert_eq!(stored(&object).keys_of_others(&app), ["theirs"]);
    let seen = stored(&object).into_state(&app);
    let keys = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        seen.data.keys().collect::<Vec<_>>(),
        ["both", "gone", "user"]
    );
    assert_eq!(keys(&seen.labels), ["gone"]);
    assert_eq!(keys(&seen.annotations), ["wanted"]);
    assert_eq!(seen.others, ["theirs"]);
    assert_eq!(seen.owner, Owner::Unnamed);
    assert!(!seen.is_told && !seen.immutable);
}

#[test]
fn row_109_an_object_that_says_the_same_of_itself_is_told_and_no_other() {
    let app = wanted("Opaque", &[]);
    let sources = r#"[{"source":"vault kv/app","version":"3"}]"#;
    for (configuration, delivery, sources, is_told) in [
        ("test", "app", sources, true),
        ("other", "app", sources, false),
        ("test", "web", sources, false),
        ("test", "app", "[]", false),
    ] {
        let object = json!({"metadata": {
            "uid": "u", "resourceVersion": "2",
            "labels": {"app.kubernetes.io/managed-by": "keyferry", "keyferry.io/configuration": configuration},
            "annotations": {"keyferry.io/delivery": delivery, "keyferry.io/sources": sources},
        }});
        let seen = stored(&object).into_state(&app);
        assert_eq!(seen.is_told, is_told, "{object}");
        assert!(seen.labels.is_empty() && seen.annotations.is_empty());
    }
}
