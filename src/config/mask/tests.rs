//! Which parts of a configuration line are shown, and which are hidden.

use std::collections::BTreeSet;

use super::shown_keys::KEYS;
use super::*;

#[test]
fn row_07_values_of_unknown_keys_and_tokens_are_hidden() {
    for (text, shown) in [
        // Tokens by their form, wherever they stand.
        (
            "auth: {token: hvs.CAESIJlSnE0qfTr0mZ8aVQ}",
            "auth: {token: ********}",
        ),
        (
            "auth: {token: {file: s.OUFPbTvZcMt967MYBsWxJarS}}",
            "auth: {token: {file: ********}}",
        ),
        (
            "name: ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "name: ********",
        ),
        ("name: glpat-zyxWVUtsr1234567890q", "name: ********"),
        ("name: AKIAIOSFODNN7EXAMPLE", "name: ********"),
        ("{hvs.CAESIJlSnE0qfTr0mZ8aVQ}", "{********}"),
        (
            "keys: {age: [AGE-SECRET-KEY-1QQPQYQQQQ]}",
            "keys: {age: [********]}",
        ),
        (
            "path: eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMyJ9.eyJzdWIiOiJhIn0.c2ln",
            "path: ********",
        ),
        ("# was hvs.CAESIJlSnE0qfTr0mZ8aVQ", "# was ********"),
        // Words of chance.
        (
            "file: 6152030a-3f7c-e7de-48b4-c9e7fc1fb37a",
            "file: ********",
        ),
        ("vault: kv/x9K2mQ7pL4vR8tW1zB", "vault: kv/********"),
        (
            "address: 'https://user:hunter2@v:8200'",
            "address: 'https://********@v:8200'",
        ),
        // Values of keys that are not known to be harmless, words or not.
        ("auth: hunter2", "auth: ********"),
        (
            "auth: {token: \"correct horse, battery\"}",
            "auth: {token: \"********\"}",
        ),
        (
            "{password: hunter2, username: bob}",
            "{password: ********, username: ********}",
        ),
        (
            "secretId:\n  - hunter2\n  - x: y",
            "secretId:\n  - ********\n  - x: ********",
        ),
        (
            "{frm: [a, b], name: c}",
            "{frm: [********, ********], name: c}",
        ),
        // Beneath `fields` every name is the user's.
        (
            "fields: {name: hunter2, path: '{{ a }}:x'}",
            "fields: {name: ********, path: '{{ a }}********'}",
        ),
        (
            "fields:\n  name: a b\n  URL: \"p://{{ u | default('x') }}@h\"\nrequire: [a]",
            "fields:\n  name: ********\n  URL: \"********{{ u | default('********') \
             }}********\"\nrequire: [a]",
        ),
        (
            "- write: {name: a}\n  prefix: P_",
            "- write: {name: ********}\n  prefix: P_",
        ),
        // What may be seen.
        (
            "- {name: a, from: [{vault: /v1/kv/data/archpad/demo}]}",
            "- {name: a, from: [{vault: /v1/kv/data/archpad/demo}]}",
        ),
        (
            "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token # 1 h",
            "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token # 1 h",
        ),
        (
            "address: https://vault-0.vault.svc.cluster.local:8200",
            "address: https://vault-0.vault.svc.cluster.local:8200",
        ),
        (
            "require: [POSTGRES_PASSWORD, JWT_SECRET_2, S3_KEY]",
            "require: [POSTGRES_PASSWORD, JWT_SECRET_2, S3_KEY]",
        ),
        (
            "refresh: 5x\nonChange: [{signal: {process: nginx, signal: KILL}}]",
            "refresh: 5x\nonChange: [{signal: {process: nginx, signal: KILL}}]",
        ),
        (
            "webhook: {url: https://h/key, caFile: a}",
            "webhook: {url: ********, caFile: a}",
        ),
        (
            "run: {command: [a, b], timeout: 5}",
            "run: {command: [********, ********], timeout: 5}",
        ),
        // A quote or a bracket is missing, or a colon stands in a value.
        (
            "name: 'app\nfields:\n  PASS: 'hunter2'\n",
            "name: ********\n********\n  ********\n",
        ),
        ("PASS: correct horse: battery", "PASS: ********: ********"),
        ("name: app PASS: hunter2", "name: app PASS: ********"),
        (
            "URL: \"p://{{ user }:hunter2@{{ host }}/app\"",
            "URL: \"********{{ host }}********\"",
        ),
        ("A: 'it''s'", "A: '********'"),
        ("name: 'it''s'", "name: 'it''s'"),
        // Texts that end too early.
        ("a: \"hunter2", "a: \"********"),
        ("a: '", "a: '"),
        ("é: ü", "é: ********"),
    ] {
        assert_eq!(Masked::new(text).text, shown, "{text}");
    }
}

/// A quoted text of an expression has two kinds of backslashes, those of YAML and those of the
/// template, and may hold whatever else ends a text.
#[test]
fn row_07_quoted_text_of_an_expression_is_hidden_however_it_is_quoted() {
    for (text, shown) in [
        // A backslash of the template, in each kind of quotes of YAML and without any.
        (
            r#"X: '{{ "a\"hunter2" ~ NOPE }}'"#,
            r#"X: '{{ "********" ~ NOPE }}'"#,
        ),
        (
            r#"X: "{{ 'it\\'s hunter2' ~ NOPE }}""#,
            r#"X: "{{ '********' ~ NOPE }}""#,
        ),
        (r#"X: "{{ 'it\'s hunter2' ~ NOPE }}""#, r#"X: "********""#),
        (
            r#"X: "{{ \"a\\\"hunter2\" ~ NOPE }}""#,
            r#"X: "{{ \"********\" ~ NOPE }}""#,
        ),
        (
            r#"X: p {{ "a\"hunter2" ~ NOPE }}"#,
            r#"X: ******** {{ "********" ~ NOPE }}"#,
        ),
        // Two backslashes are one, and end nothing.
        (
            r#"X: '{{ "a\\" ~ B ~ "hunter2" }}'"#,
            r#"X: '{{ "********" ~ B ~ "********" }}'"#,
        ),
        (
            r#"X: "{{ \"hunter2\" ~ NOPE }}""#,
            r#"X: "{{ \"********\" ~ NOPE }}""#,
        ),
        (
            "X: '{{ ''hunter2'' ~ NOPE }}'",
            "X: '{{ ''********'' ~ NOPE }}'",
        ),
        // An escape that may be anything, a backslash outside, a mark in quoted text, raw text.
        (r#"X: "{{ \x22hunter2\x22 ~ A }}""#, r#"X: "********""#),
        (r#"X: '{{ A }}{{ \"hunter2 }}'"#, "X: '{{ A }}********'"),
        (r#"X: '{{ "a{{b" ~ "hunter2" ~ A }}'"#, "X: '********'"),
        (
            r#"X: '{{ A }}{{ "a}}" ~ "hunter2" }}'"#,
            "X: '{{ A }}********'",
        ),
        ("X: '{% raw %}{{ hunter2 }}{% endraw %}'", "X: '********'"),
        // A key of a mapping in an expression, quoted, in a block text and behind other text.
        (
            r#"X: "{{ {'hunter2': NOPE}['q'] }}""#,
            r#"X: "{{ {'********': NOPE}['********'] }}""#,
        ),
        (
            "X: |\n  {{ {'hunter2': NOPE}['q'] }}",
            "X: ********\n  {{ {********",
        ),
        (
            "X: |\n  {% set a = {\n  'hunter2': NOPE} %}",
            "X: ********\n  {******** {\n  ********",
        ),
        (
            "X: |\n  p {{ {'hunter2': NOPE}['q'] }}",
            "X: ********\n  ********",
        ),
        (
            "X: |\n  p {{ 'a: hunter2' ~ NOPE }}\nname: b",
            "X: ********\n  ********\n********",
        ),
        (
            "X: |\n  p {{ 'a #hunter2' ~ NOPE }}",
            "X: ********\n  ********",
        ),
        (
            "X: |\n  {{ 'a\\' #hunter2' ~ NOPE }}",
            "X: ********\n  {{ ********",
        ),
        (
            "X: |\n  {{ ['it\\', {hunter2: x'] }}",
            "X: ********\n  {{ [********",
        ),
    ] {
        assert_eq!(Masked::new(text).text, shown, "{text}");
    }
}

/// A configuration as people write it, whose secrets all hold `hunter2`.
const MISTYPED: &str = r#"name: shop
vault:
  address: 'https://vault:8200' # ours
  auth: {appRole: {roleIdFile: "role", secretIdFile: 'id'}}
deliveries:
  - name: 'app'
    from: [{vault: "kv/app", pick: ['A', "B"], prefix: P_}]
    fields:
      PASS: 'hunter2'
      "TOKEN": "a \"hunter2\" b"
      URL: "pg://{{ A }}:hunter2@{{ 'B' }}/db"
      PLAIN: hunter2
      PIN: {template: 'hunter2', encoding: base64}
      CODE: '{{ "a\"hunter2" ~ A }}'
      KEY: "{{ {'hunter2': A}['it\\'s hunter2'] }}"
    require: ['A']
    to:
      - {file: {path: 'o.env', mode: '0400'}}
      - secret: {name: "s", labels: {'a': 'b'}}
    onChange: [{run: {command: ["sh", '-c', 'echo hunter2']}}]
"#;

#[test]
fn row_07_no_single_slip_shows_a_value() {
    let seen = |text: &str| Masked::new(text).text.contains("hunter2");
    assert!(!seen(MISTYPED), "{}", Masked::new(MISTYPED).text);
    for (at, taken) in MISTYPED.char_indices() {
        let (before, behind) = MISTYPED.split_at(at);
        let without = format!("{before}{}", &behind[taken.len_utf8()..]);
        assert!(!seen(&without), "{}", Masked::new(&without).text);
        for typed in [
            "'", "\"", "{", "}", "[", "]", ",", ":", ": ", "\n", " ", "x",
        ] {
            let with = format!("{before}{typed}{behind}");
            assert!(!seen(&with), "{at} {typed:?} {}", Masked::new(&with).text);
        }
    }
}

#[test]
fn row_07_private_keys_are_hidden_line_by_line() {
    let text =
        "name: |\n  -----BEGIN PRIVATE KEY-----\n  MIIE\n  -----END PRIVATE KEY-----\nfile: b\n";
    let masked = Masked::new(text);
    assert_eq!(
        masked.text,
        "name: |\n  ********\n  ********\n  ********\nfile: b\n"
    );
    assert_eq!(tokens(text), [10]);
    let made = "X: '-----BEGIN PRIVATE KEY-----{{ k }}-----END PRIVATE KEY-----'";
    assert!(tokens(made).is_empty(), "a template may frame a key");
}

#[test]
fn places_follow_what_is_hidden() {
    let text = "{a: hunter2hunter2, b: {name: c}}";
    let masked = Masked::new(text);
    let at = |text: &str, word: &str| text.find(word).expect("there");
    let name = at(text, "name");
    let span = masked.span(name..name + 4);
    assert_eq!(&masked.text[span], "name");
    let hidden = at(text, "hunter2");
    assert_eq!(&masked.text[masked.span(hidden..hidden + 3)], HIDDEN);
}

#[test]
fn a_message_hides_what_looks_like_a_secret() {
    for (text, shown) in [
        (
            "unknown key `hvs.CAESIJlSnE0qfTr0mZ8aVQ`",
            "unknown key `********`",
        ),
        ("file a/b.env: not there", "file a/b.env: not there"),
    ] {
        assert_eq!(message(text), shown);
    }
}

#[test]
fn every_key_says_whether_it_may_be_shown() {
    assert_eq!(
        KEYS.wordless,
        BTreeSet::new(),
        "say it by `Shown` or `Hidden`"
    );
    for (key, shows, closes) in [
        ("path", true, false),
        ("version", true, false),
        ("format", true, false),
        ("onMissing", true, false),
        ("namespaces", true, false),
        ("password", false, false),
        ("auth", false, false),
        ("fields", false, true),
        ("write", false, true),
        ("labels", true, true),
        ("annotations", true, true),
        ("vaults", false, false),
        ("hunter2", false, false),
    ] {
        assert_eq!(
            (KEYS.shows(key), KEYS.closes(key)),
            (shows, closes),
            "{key}"
        );
    }
}
