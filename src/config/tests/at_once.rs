//! All problems are reported in one run, without those that only follow from another.

use super::load_files;

/// The places and texts of all that is wrong with a file, in its order.
fn messages(text: &str) -> Vec<String> {
    let problems = load_files(&[("k.yaml", text)], None).expect_err(text);
    let all = problems.failures().into_iter();
    all.map(|one| one.what.trim_start_matches("k.yaml:").to_owned())
        .collect()
}

/// The beginnings of all that is wrong.
fn tells(text: &str, expected: &[&str]) {
    let told = messages(text);
    let same = told.len() == expected.len();
    let fit = told.iter().zip(expected).all(|(is, to)| is.starts_with(to));
    assert!(same && fit, "{text}\nexpected {expected:#?}\ngot {told:#?}");
}

const SERVER: &str = "vault: {address: 'https://v:8200', auth: {token: {file: t}}}\n";

#[test]
fn row_01_what_cannot_be_read_hides_nothing_else() {
    tells(
        "sidecar:\n  statusPage: nope\n  otlp: collector:4317\n",
        &[
            "2:15: true or false is expected here",
            "3:9: `collector:4317` is no address of a collector",
        ],
    );
    // A type, a word, a key, a missing key, and a value that is read but wrong.
    tells(
        "vault: {address: 'v:8200'}
deliveries:
  - name: [a]
    from: [{vault: kv/../a}, {vault: kv/b, version: two, prefix: {}}, {path: kv/c}]
    to:
      - file: {path: a.env, format: envfile, mode: 999, owner: me, uid: 1x}
    maxAge: 5w
    refresh: 1m
",
        &[
            "1:8: `auth` is missing here",
            "1:18: `v:8200` is no server address",
            "3:11: one text is expected here",
            "4:20: `kv/../a` is no Vault path",
            "4:53: a whole number from 1, or `${NAME}`, is expected here",
            "4:66: one text is expected here",
            "4:72: unknown key `path`",
            "6:37: unknown word `envfile`",
            "6:52: `999` is no mode for a secret",
            "6:57: unknown key `owner`",
            "6:73: a whole number, not negative, is expected here",
            "7:13: there is no unit `w`",
        ],
    );
    tells(
        "name: a\nname: b\ndeliveries: [{name: a, from: [], form: []}]\n---\nname: c\n",
        &[
            "2:1: the key `name` stands twice in one mapping",
            "3:34: unknown key `form`",
            "4:1: a second document begins here",
        ],
    );
    tells(
        "name: A\nmanifests: [{sops: 'a/*/b.yaml', namespaces: [B]}]\nmarkKey: [x]\n",
        &[
            "1:7: `A` cannot be the name of a configuration",
            "2:20: `*` may stand in a file's name only",
            "2:47: `B` is no name of a namespace",
            "3:10: a mapping (`key: value`) is expected here",
        ],
    );
}

#[test]
fn what_was_meant_is_looked_at_too() {
    // One value for a list, a word of YAML 1.1, a typo: each is told once, and what stands inside
    // is checked.
    let text = format!(
        "{SERVER}deliverys:
  name: a
  from: {{vault: kv/a, pick: A, version: 0}}
  to: {{file: {{path: a.env, edit: yes, mode: '0999'}}}}
  allowEmpty: 'on'
"
    );
    tells(
        &text,
        &[
            "2:1: unknown key `deliverys`",
            "3:3: a list (`[a, b]`) is expected here",
            "4:9: a list (`[a, b]`) is expected here",
            "4:29: a list (`[a, b]`) is expected here",
            "4:41: no secret has a version 0",
            "5:7: a list (`[a, b]`) is expected here",
            "5:34: true or false is expected here",
            "5:45: `0999` is no mode for a secret",
            "6:15: true or false is expected here",
        ],
    );
    // Both edit the file: they may share it.
    tells(
        "deliveries:
  - {name: a, fields: {A: a}, to: [{file: {path: a.env, edit: yes}}]}
  - {name: b, fields: {B: b}, to: [{file: {path: a.env, edit: true}}]}
",
        &["2:63: true or false is expected here"],
    );
    // An alias brings one mistake to two places.
    tells(
        "deliveries:
  - {name: a, fields: {A: a}, to: [{file: &f {path: a.env, uid: me}}]}
  - {name: b, fields: {A: a}, to: [{file: {<<: *f, path: b.env}}]}
",
        &["2:65: a whole number, not negative, is expected here"],
    );
}

#[test]
fn what_only_follows_is_not_told() {
    for (text, expected) in [
        // A key that is lost at the top may have been the server, the name or the key.
        (
            "vaultServer: {}\ndeliveries: [{name: a, from: [{vault: kv/a}], to: [{secret: {name: s}}]}]\n",
            "1:1: unknown key `vaultServer`",
        ),
        (
            "vaults: https://v\ndeliveries: [{name: a, from: [{vault: kv/a, server: b}]}]\n",
            "1:9: a mapping (`key: value`) is expected here",
        ),
        (
            "vault: https://v\ndeliveries: [{name: a, from: [{vault: kv/a}]}]\n",
            "1:8: a mapping (`key: value`) is expected here",
        ),
        (
            "sidecar: 5m\nreflector: yes\nkeys: a.key\n",
            "1:10: a mapping (`key: value`) is expected here",
        ),
        // A source that is lost, beside what only it would need.
        ("deliveries: [{name: a, from: kv/a}]\n", "1:30: a list"),
        (
            "deliveries: [{name: a, sourcs: [{age: a.age}]}]\n",
            "1:24: unknown key `sourcs`",
        ),
        (
            "deliveries: [{name: a, from: [{age: [a], format: json}]}]\n",
            "1:37: one text",
        ),
        (
            "deliveries: [{name: a, from: [{vault: [a], version: 1}]}]\n",
            "1:39: one text",
        ),
        (
            "deliveries: [{fields: {A: a}}, {name: b, fields: {A: a}}]\n",
            "1:14: `name` is missing",
        ),
        // A target that is lost.
        (
            "deliveries: [{name: a, fields: {A: a}, to: [a.env]}]\n",
            "1:45: a mapping",
        ),
        (
            "deliveries: [{name: a, fields: {A: a}, to: [{file: {path: [a], format: dotenv}}, \
             {file: {path: b.env}}]}]\n",
            "1:59: one text",
        ),
        (
            "deliveries: [{name: a, fields: {A: a}, to: [{files: {dir: '${NOT_SET}'}}, {file: \
             {path: b.env}}]}]\n",
            "1:59: environment variable `NOT_SET` is not set",
        ),
        (
            "deliveries: [{name: a, fields: {A: a}, to: [{file: {path: '${NOT_SET}'}}]}]\n",
            "1:59: environment variable `NOT_SET` is not set",
        ),
        (
            "sidecar: {otlp: '${NOT_SET}', refresh: '${NOT_SET:-1m}'}\n",
            "1:17: environment variable `NOT_SET` is not set",
        ),
        (
            "vault: {address: '${NOT_SET}', auth: {token: {file: t}}}\ndeliveries: [{name: a, \
             from: [{vault: kv/a}]}]\n",
            "1:18: environment variable `NOT_SET` is not set",
        ),
        (
            "deliveries: [{name: a, fields: {A: a}, onChange: [{signal: HUP}]}]\n",
            "1:60: a mapping",
        ),
        (
            "vault: {address: 'https://v', token: x}\ndeliveries: [{name: a, from: [{vault: kv/a}]}]\n",
            "1:31: unknown key `token`",
        ),
        (
            "deliveries: [{name: a, fields: {A: {value: x}}}]\n",
            "1:37: unknown key `value`",
        ),
        ("deliveries: 7\n", "1:13: a list"),
        ("deliveries:\n  - 7\n", "2:5: a mapping"),
    ] {
        let told = messages(text);
        let first = told
            .first()
            .is_some_and(|first| first.starts_with(expected));
        let only = told.len() == 1 || text.starts_with("sidecar: 5m") && told.len() == 3;
        assert!(first && only, "{text}\nexpected {expected}\ngot {told:#?}");
    }
}

#[test]
fn a_hint_names_the_page_that_says_what_can_stand_there() {
    for (text, expected) in [
        (
            "deliveries: [{name: a, from: [kv/a]}]\n",
            "`keyferry explain deliveries.from`",
        ),
        (
            "vaults: {main: {address: [a], auth: {}}}\n",
            "`keyferry explain vaults.main.address`",
        ),
        (
            "deliveries: [{name: a, fields: {A: a}, to: [{secret: {name: s, labels: \
             {example.org/a: [x]}}}]}]\n",
            "`keyferry explain deliveries.to.secret.labels`",
        ),
        ("[a]\n", "`keyferry explain`"),
    ] {
        let problems = load_files(&[("k.yaml", text)], None).expect_err(text);
        let hint = problems.list[0].hint.clone().unwrap_or_default();
        assert!(hint.contains(expected), "{text}: {hint}");
    }
}
