//! Rows 18 and 21 to 24 on real engines: what is where, and what exactly is missing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyferry::config::VaultRead;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    READ_ALL, SOON, VALUE, app_role, audited, fails, shared, token_file, unique, with_policy,
};
use crate::support::openbao::OpenBao;
use crate::support::process::Scratch;
use crate::support::run::keyferry;
use crate::support::session::{fields, path, read_once, session, version, watched};

#[test]
fn a_secret_is_found_however_its_path_is_written() {
    let bao = shared();
    let team = unique("team");
    bao.enable_kv2(&format!("{team}/kv"));
    let data = json!({"data": {"password": VALUE}});
    for key in [
        "a/b",
        "data",
        "data/x",
        "config",
        "metadata/x",
        "subkeys/x",
        "ü b+c:d@e&f=g;h~",
    ] {
        bao.post(&format!("kv/data/{}", encoded(key)), &data);
    }
    bao.post(&format!("{team}/kv/data/a"), &data);
    for key in ["a/b", "data/a", "data/metadata", "config"] {
        bao.post(&format!("kv1/{key}"), &data["data"]);
    }
    let (token, server) = with_policy(bao, READ_ALL);
    let nested = [format!("{team}/kv/data/a"), format!("{team}/kv/a")];
    let rows = [
        "kv/data/a/b",
        "kv/a/b",
        "kv/data",
        "kv/data/data",
        "kv/data/data/x",
        "kv/config",
        "kv/data/config",
        "kv/data/metadata/x",
        "kv/data/subkeys/x",
        "kv/ü b+c:d@e&f=g;h~",
        "kv/data/ü b+c:d@e&f=g;h~",
        "kv1/a/b",
        "kv1/data/a",
        "kv1/data/metadata",
        "kv1/config",
    ];
    for row in rows.into_iter().chain(nested.iter().map(String::as_str)) {
        let material = read_once(&[&token, VALUE], &server, SOON, &path(row)).expect(row);
        assert_eq!(fields(&material)["password"], VALUE, "{row}");
        assert_eq!(
            material.version.is_some(),
            !row.starts_with("kv1/"),
            "{row}"
        );
        assert_eq!(material.lease, None);
    }
}

/// A path for the test's own client, which sends it as it is.
fn encoded(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'/' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn data_of_kv_v1_that_looks_like_an_answer_of_kv_v2_is_delivered_as_it_is() {
    let bao = shared();
    let metadata =
        json!({"created_time": "t", "deletion_time": "", "destroyed": false, "version": 1});
    let forged = json!({"data": {"a": VALUE}, "metadata": metadata});
    bao.post("kv1/data/forged", &forged);
    let (token, server) = with_policy(bao, READ_ALL);
    let material =
        read_once(&[&token, VALUE], &server, SOON, &path("kv1/data/forged")).expect("data");
    let names: Vec<_> = fields(&material).into_keys().collect();
    assert_eq!(
        (names, material.version),
        (vec!["data".to_owned(), "metadata".to_owned()], None)
    );
}

#[test]
fn row_21_soft_deleted_is_missing_with_time_and_version() {
    let bao = shared();
    let key = unique("deleted");
    bao.put(&key, &json!({"a": "1"}));
    bao.put(&key, &json!({"a": VALUE}));
    bao.delete(&format!("kv/data/{key}"));
    let (token, server) = with_policy(bao, READ_ALL);
    for written in [format!("kv/data/{key}"), format!("kv/{key}")] {
        let result = read_once(&[&token, VALUE], &server, SOON, &path(&written));
        let failure = fails(result, "missing", &["deleted at 20", ", version 2"]);
        assert!(failure.absent);
        let older = read_once(&[&token], &server, SOON, &version(&written, 1)).expect("version 1");
        assert_eq!(older.version.as_deref(), Some("1"));
    }
}

#[test]
fn row_22_each_absence_is_told_apart() {
    let bao = shared();
    let (destroyed, there) = (unique("destroyed"), unique("there"));
    bao.put(&destroyed, &json!({"a": VALUE}));
    bao.post(
        &format!("kv/destroy/{destroyed}"),
        &json!({"versions": [1]}),
    );
    bao.put(&there, &json!({"a": VALUE}));
    bao.post(&format!("kv1/{there}"), &json!({"a": VALUE}));
    let (token, server) = with_policy(bao, READ_ALL);
    let rows = [
        (
            path(&format!("kv/data/{destroyed}")),
            "missing",
            true,
            "version 1 is destroyed",
        ),
        (
            path(&format!("kv/{destroyed}")),
            "missing",
            true,
            "version 1 is destroyed",
        ),
        (path("kv/data/none"), "missing", true, "nothing is there"),
        (path("kv/none"), "missing", true, "nothing is there"),
        (path("kv1/none"), "missing", true, "nothing is there"),
        (path("kv1/data/none"), "missing", true, "nothing is there"),
        (
            version(&format!("kv/data/{there}"), 9),
            "missing",
            true,
            "version 9 is not there",
        ),
        (
            version(&format!("kv/{there}"), 9),
            "missing",
            true,
            "version 9 is not there",
        ),
        (path("nomount/a"), "missing", false, "mount not found"),
        (path("nomount/data/a"), "missing", false, "mount not found"),
        (
            version(&format!("kv1/{there}"), 1),
            "configuration",
            false,
            "what is read has no versions",
        ),
        (
            version("kv1/data/none", 1),
            "configuration",
            false,
            "what is read has no versions",
        ),
        (path("kv"), "configuration", false, "the path names a mount"),
        (
            path("auth/token/create"),
            "configuration",
            false,
            "does not answer reads",
        ),
    ];
    for (read, class, absent, words) in rows {
        let result = read_once(&[&token, VALUE], &server, SOON, &read);
        let failure = fails(result, class, &["vault `default`: cannot read", words]);
        assert_eq!(failure.absent, absent, "{failure}");
        assert!(failure.hint.is_some(), "{failure}");
    }
}

#[test]
fn row_152_a_secret_of_kv_v1_whose_ttl_is_no_time_is_read_at_once() {
    let bao = shared();
    let (token, server) = with_policy(bao, READ_ALL);
    for ttl in ["-1", "0", "1000000h"] {
        let key = unique("ttl");
        bao.post(
            &format!("kv1/{key}"),
            &json!({"password": VALUE, "ttl": ttl}),
        );
        let material = read_once(
            &[&token, VALUE],
            &server,
            SOON,
            &path(&format!("kv1/{key}")),
        );
        let fields = fields(&material.expect(ttl));
        assert_eq!(
            (fields["password"].as_str(), fields["ttl"].as_str()),
            (VALUE, ttl)
        );
    }
}

#[test]
fn row_162_nobody_is_told_to_undelete_what_is_destroyed() {
    let bao = shared();
    let key = unique("gone");
    bao.put(&key, &json!({"a": VALUE}));
    bao.put(&key, &json!({"a": VALUE}));
    bao.post(&format!("kv/destroy/{key}"), &json!({"versions": [1]}));
    bao.delete(&format!("kv/data/{key}"));
    let (token, server) = with_policy(bao, READ_ALL);
    let rows = [
        (version(&format!("kv/{key}"), 1), "destroyed", false),
        (path(&format!("kv/{key}")), "deleted", true),
    ];
    for (read, words, can_be_undone) in rows {
        let result = read_once(&[&token, VALUE], &server, SOON, &read);
        let hint = fails(result, "missing", &[words]).hint.expect("a hint");
        assert_eq!(hint.contains("undelete"), can_be_undone, "{hint}");
    }
}

#[test]
fn row_163_what_is_said_of_a_secret_and_what_has_its_v1_is_read_as_it_is_written() {
    let bao = shared();
    let (team, key) = (format!("{}/data/kv", unique("team")), unique("told"));
    bao.enable_kv2(&team);
    for at in ["kv", &team] {
        bao.post(
            &format!("{at}/data/{key}"),
            &json!({"data": {"password": VALUE}}),
        );
        let about = json!({"custom_metadata": {"owner": "web"}});
        bao.post(&format!("{at}/metadata/{key}"), &about);
    }
    let (token, server) = with_policy(bao, READ_ALL);
    let exact = |written: String| VaultRead {
        exact: true,
        ..path(&written)
    };
    // What is asked for, and a field by which the answer is known.
    let rows = [
        (path(&format!("kv/metadata/{key}")), "current_version"),
        (path(&format!("kv/subkeys/{key}")), "subkeys"),
        (path(&format!("{team}/metadata/{key}")), "current_version"),
        (path(&format!("{team}/subkeys/{key}")), "subkeys"),
        (exact(format!("kv/metadata/{key}")), "current_version"),
        (exact(format!("kv/subkeys/{key}")), "subkeys"),
        (exact(format!("kv/data/{key}")), "password"),
        (exact("auth/token/lookup-self".to_owned()), "accessor"),
        (path(&format!("{team}/{key}")), "password"),
    ];
    for (read, field) in rows {
        let material = read_once(&[&token, VALUE], &server, SOON, &read);
        let material = material.unwrap_or_else(|failure| panic!("{read:?}: {failure}"));
        assert!(fields(&material).contains_key(field), "{read:?}");
        assert_eq!(material.version.is_some(), field == "password", "{read:?}");
    }
    let short = read_once(&[&token, VALUE], &server, SOON, &exact(format!("kv/{key}")));
    fails(short, "configuration", &["this is a path of KV v1"]);
    let pinned = version(&format!("kv/metadata/{key}"), 1);
    let pinned = read_once(&[&token, VALUE], &server, SOON, &pinned);
    fails(pinned, "configuration", &["what is read has no versions"]);
}

#[test]
fn row_18_a_denied_path_is_named_as_a_policy_must_name_it() {
    let bao = shared();
    let allowed = unique("allowed");
    bao.put(&allowed, &json!({"password": VALUE}));
    bao.put("denied", &json!({"password": VALUE}));
    let rules = format!(r#"path "kv/data/{allowed}" {{ capabilities = ["read"] }}"#);
    let (token, server) = with_policy(bao, &rules);
    for written in [format!("kv/data/{allowed}"), format!("kv/{allowed}")] {
        read_once(&[&token, VALUE], &server, SOON, &path(&written))
            .expect("no other right is needed");
    }
    let rows = [
        ("kv/data/denied", "kv/data/denied"),
        ("kv/denied", "kv/data/denied"),
        ("kv1/denied", "kv1/denied"),
        ("nomount/denied", "nomount/denied"),
    ];
    for (written, named) in rows {
        let result = read_once(&[&token, VALUE], &server, SOON, &path(written));
        let failure = fails(
            result,
            "denied",
            &["token file", &format!("may not read `{named}`")],
        );
        let hint = failure.hint.expect("a hint");
        assert!(hint.contains(&format!("path \"{named}\"")), "{hint}");
    }
}

#[test]
fn row_24_scalars_keep_their_spelling() {
    let bao = shared();
    let key = unique("scalars");
    let text = r#"{"big": 9007199254740993, "yes": true, "none": null, "empty": "", "nul": "a\u0000b", "emoji": "😀", "list": [1, "a"], "map": {"a": 1}}"#;
    let data: Value = serde_json::from_str(text).expect("JSON");
    bao.put(&key, &data);
    bao.post(&format!("kv1/{key}"), &data);
    let (token, server) = with_policy(bao, READ_ALL);
    // OpenBao's KV v2 itself rounds a number to a float when it is written; KV v1 keeps it.
    for (mount, big) in [("kv1", "9007199254740993"), ("kv", "9007199254740992")] {
        let read = path(&format!("{mount}/{key}"));
        let material = read_once(&[&token], &server, SOON, &read).expect("data");
        let rows = [
            ("big", big),
            ("yes", "true"),
            ("none", "<null>"),
            ("empty", ""),
            ("nul", "a\0b"),
            ("emoji", "😀"),
            ("list", "<nested>"),
            ("map", "<nested>"),
        ];
        for (name, want) in rows {
            assert_eq!(fields(&material)[name], want, "{mount} {name}");
        }
    }
}

#[test]
fn a_pass_makes_no_needless_request() {
    let bao = OpenBao::start();
    bao.enable_kv1("kv1");
    for key in ["a", "b", "c"] {
        bao.put(key, &json!({"password": VALUE}));
        bao.post(&format!("kv1/{key}"), &json!({"password": VALUE}));
    }
    let rows: [(&[&str], &[&str]); 3] = [
        // As their documentation writes them: nothing has to be found out.
        (
            &["kv/data/a", "kv/data/b", "kv/data/c"],
            &["read kv/data/a", "read kv/data/b", "read kv/data/c"],
        ),
        // Without `data`: one question for the mount.
        (
            &["kv/a", "kv/b", "kv/c"],
            &[
                "read kv/data/a",
                "read kv/data/b",
                "read kv/data/c",
                "read sys/internal/ui/mounts/kv/a",
            ],
        ),
        (
            &["kv1/a", "kv1/b", "kv/data/c"],
            &[
                "read kv/data/c",
                "read kv1/a",
                "read kv1/b",
                "read sys/internal/ui/mounts/kv1/a",
            ],
        ),
    ];
    for (asked, wanted) in rows {
        let (secrets, server) = app_role(&bao, READ_ALL, &json!({}));
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).chain([VALUE]).collect();
        let before = bao.audited().len();
        watched(&secrets, async {
            let session = session(&server, SOON);
            let reads: Vec<_> = asked.iter().map(|asked| path(asked)).collect();
            for result in
                futures_util::future::join_all(reads.iter().map(|read| session.read(read))).await
            {
                result.expect("data");
            }
            session.close().await;
        });
        let mut calls = bao.audited().split_off(before);
        assert!(
            calls.first().is_some_and(|call| call.ends_with("/login")),
            "{calls:?}"
        );
        assert_eq!(
            calls.last().map(String::as_str),
            Some("update auth/token/revoke-self")
        );
        calls = calls[1..calls.len() - 1].to_vec();
        calls.sort();
        assert_eq!(calls, wanted);
    }
    assert_eq!(audited(&bao, "lookup-self"), 1, "only the stack's own");
}

/// Base64 in Vault becomes bytes in files: of a source, of a computed field, and by a filter.
#[test]
fn row_165_base64_in_vault_becomes_bytes() {
    let bao = shared();
    let bytes: Vec<u8> = (0..=255).collect();
    let encoded = STANDARD.encode(&bytes);
    let wrapped = format!("{}\n{}\n", &encoded[..76], &encoded[76..]);
    let data = json!({"data": {"keystore": wrapped, "plain": VALUE, "hex": "00 fF", "json": "{\"a\": [1.50]}"}});
    bao.post("kv/data/binary", &data);
    let (token, file) = token_file(bao, READ_ALL, &json!({}));
    let folder = Scratch::new("vault-base64");
    let job = |from: &str, fields: &str| {
        let config = format!(
            "vault: {{address: '{}', auth: {{token: {{file: {}}}}}}}\ndeliveries:\n  - name: d\n    from: [{from}]\n    fields:\n{fields}    to: [{{files: {{dir: out, createDirs: true}}}}]\n",
            bao.addr(),
            file.display()
        );
        let config = folder.write("keyferry.yaml", config);
        let done = keyferry().args(["job", "--config"]).args([config]).run();
        done.assert_no_canary(&[&token, VALUE]);
        done
    };
    let both = "{vault: kv/binary, pick: [keystore], encoding: base64}, \
        {vault: kv/binary, pick: [plain, hex, json]}";
    let fields = "      again: {template: '{{ keystore | base64 }}', encoding: base64}\n      \
        key: '{{ hex | hexdec }}'\n      filtered: \"{{ 'AP8=' | base64decode }}\"\n      sum: \
        '{{ keystore | sha256sum }}'\n      yaml: '{{ json | fromJson | toYaml }}'\n";
    job(both, fields).expect(0);
    let read = |name: &str| std::fs::read(folder.path().join("out").join(name)).expect(name);
    assert_eq!(read("keystore"), bytes);
    assert_eq!(read("again"), bytes);
    assert_eq!(read("plain"), VALUE.as_bytes());
    assert_eq!(read("key"), [0x00, 0xff]);
    assert_eq!(read("filtered"), [0x00, 0xff]);
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(read("sum"), sum.as_bytes());
    assert_eq!(read("yaml"), b"a:\n  - 1.50");

    let refused = job("{vault: kv/binary, encoding: base64}", "      x: y\n").expect(5);
    assert!(
        refused
            .stderr
            .contains("is not base64: it is something else"),
        "{}",
        refused.stderr
    );
    assert_eq!(read("keystore"), bytes, "what stood there stays");
    let refused = job(
        "{vault: kv/binary}",
        "      x: {template: '{{ plain }}', encoding: base64}\n",
    )
    .expect(5);
    assert!(
        refused.stderr.contains("field `x` is not base64"),
        "{}",
        refused.stderr
    );
}
