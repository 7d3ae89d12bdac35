//! What a signature proves, and how a tenant could misuse one that it may read.

use super::*;

const UID: &str = "0f3c9a52-7a57-4d0b-8a4e-0123456789ab";
const OTHER: &str = "0f3c9a52-7a57-4d0b-8a4e-0123456789ac";

fn keys(names: &[&str]) -> Keys {
    let key = |name: &&str| ((*name).to_owned(), SecretBytes::from(name.repeat(32)));
    let content: Vec<_> = names.iter().map(key).collect();
    Keys::read(ObjectPlace::new("keyferry", "keyferry-marks"), content)
        .expect("they are long enough")
}

fn source() -> ObjectPlace {
    ObjectPlace::new("a", "x")
}

fn statement<'a>(namespace: &'a str, source: &'a ObjectPlace) -> SignedStatement<'a> {
    SignedStatement {
        kind: CopiedKind::Secret,
        namespace,
        name: "x",
        origin: CopyOrigin::Object(source, Uid::parse(UID), ResourceVersion::parse("7")),
    }
}

fn carrier(uid: &str, created: &'static str) -> Carrier<'static> {
    Carrier {
        uid: Uid::parse(uid),
        created,
    }
}

/// 2026-01-01T00:00:00Z.
const SIGNED_AT: i64 = 1_767_225_600;

#[test]
fn row_87_a_signature_is_of_one_place_one_source_one_version_and_one_object() {
    let keys = keys(&["k"]);
    let (source, other) = (source(), ObjectPlace::new("a", "y"));
    let of = statement("b", &source);
    let good = keys
        .sign(&of, Bound::Object(Uid::parse(UID)))
        .expect("a key");
    let here = carrier(UID, "2026-01-01T00:00:00Z");
    let object = |place, uid, version| {
        CopyOrigin::Object(place, Uid::parse(uid), ResourceVersion::parse(version))
    };
    let with = |origin| SignedStatement { origin, ..of };
    for (what, statement, carrier, verdict) in [
        ("as signed", of, here, Verdict::Signed),
        (
            "in another namespace",
            statement("c", &source),
            here,
            Verdict::Unknown,
        ),
        (
            "under another name",
            SignedStatement { name: "y", ..of },
            here,
            Verdict::Unknown,
        ),
        (
            "on a ConfigMap",
            SignedStatement {
                kind: CopiedKind::ConfigMap,
                ..of
            },
            here,
            Verdict::Unknown,
        ),
        (
            "of another source",
            with(object(&other, UID, "7")),
            here,
            Verdict::Unknown,
        ),
        (
            "of another uid",
            with(object(&source, OTHER, "7")),
            here,
            Verdict::Unknown,
        ),
        (
            "of another version",
            with(object(&source, UID, "8")),
            here,
            Verdict::Unknown,
        ),
        (
            "declared",
            with(CopyOrigin::Declared("a/x")),
            here,
            Verdict::Unknown,
        ),
        (
            "on the next object there",
            of,
            carrier(OTHER, "2026-01-01T00:00:00Z"),
            Verdict::Unsigned,
        ),
    ] {
        assert_eq!(
            keys.verify(Some(&good), &statement, carrier),
            verdict,
            "{what}"
        );
    }
    assert_eq!(keys.verify(None, &of, here), Verdict::Unsigned);
}

#[test]
fn row_87_what_was_signed_when_it_was_created_is_not_signed_when_it_is_made_again() {
    let keys = keys(&["k"]);
    let source = source();
    let of = statement("b", &source);
    let good = keys.sign(&of, Bound::Created(SIGNED_AT)).expect("a key");
    for (created, verdict) in [
        ("2025-12-31T23:59:59Z", Verdict::Signed),
        ("2026-01-01T00:00:01Z", Verdict::Signed),
        ("2026-01-01T00:05:00Z", Verdict::Signed),
        ("2026-01-01T00:05:01Z", Verdict::Unsigned),
        ("2027-01-01T00:00:00Z", Verdict::Unsigned),
        ("", Verdict::Unsigned),
    ] {
        let carrier = carrier(OTHER, created);
        assert_eq!(keys.verify(Some(&good), &of, carrier), verdict, "{created}");
    }
}

#[test]
fn row_86_nothing_that_a_tenant_can_write_is_a_signature() {
    let keys = keys(&["k"]);
    let source = source();
    let of = statement("b", &source);
    let good = keys.sign(&of, Bound::Created(SIGNED_AT)).expect("a key");
    let mac = good.rsplit(':').next().expect("three parts");
    let here = carrier(UID, "2026-01-01T00:00:00Z");
    for text in [
        String::new(),
        "k".to_owned(),
        "k::".to_owned(),
        format!("k:{SIGNED_AT}:{mac}"),
        format!("k:@{}:{mac}", SIGNED_AT + 1),
        format!("k:{UID}:{mac}"),
        format!("l:@{SIGNED_AT}:{mac}"),
        format!("k:@{SIGNED_AT}:"),
        format!("k:@{SIGNED_AT}:{}", &mac[1..]),
        format!("k:@{SIGNED_AT}:{mac}A"),
        format!("k:@{SIGNED_AT}:{mac}="),
        format!("k:@99999999999999999999:{mac}"),
        format!(" {good}"),
    ] {
        assert_eq!(
            keys.verify(Some(&text), &of, here),
            Verdict::Unknown,
            "{text}"
        );
    }
}

#[test]
fn row_89_the_newest_key_signs_and_older_ones_still_verify() {
    let (old, both, new) = (keys(&["1"]), keys(&["1", "2"]), keys(&["2"]));
    let source = source();
    let of = statement("b", &source);
    let here = carrier(UID, "2026-01-01T00:00:00Z");
    let sign = |keys: &Keys| {
        keys.sign(&of, Bound::Object(Uid::parse(UID)))
            .expect("a key")
    };
    assert_eq!(sign(&both), sign(&new), "the newest signs");
    for (by, known, verdict) in [
        (&old, &both, Verdict::Signed),
        (&new, &both, Verdict::Signed),
        (&old, &new, Verdict::Unknown),
        (&new, &old, Verdict::Unknown),
    ] {
        assert_eq!(known.verify(Some(&sign(by)), &of, here), verdict);
    }
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let read = |content: &[(&str, usize)]| {
        let content = content.iter();
        let content = content.map(|(name, size)| ((*name).to_owned(), vec![7; *size].into()));
        Keys::read(ObjectPlace::new("n", "k"), content).map(drop)
    };
    assert_eq!(read(&[]), Err(MarkKeyError::Empty));
    assert_eq!(
        read(&[("a", 31), ("b", 32)]),
        Err(MarkKeyError::Short("a".to_owned()))
    );
    assert_eq!(read(&[("a", 32)]), Ok(()));
}

/// RFC 4231 has no vector for our bytes, so this one was made with Python's `hmac`, which is
/// independent of our code.
#[test]
fn the_bytes_that_are_signed_stay_what_they_are() {
    let source = source();
    let text = keys(&["k"]).sign(&statement("b", &source), Bound::Created(SIGNED_AT));
    assert_eq!(
        text.as_deref(),
        Some("k:@1767225600:y9nCYkMf-sWAb6RGsoFkcEsQh0v88X273YzEyvIUtGY")
    );
}
